-- The audit log. Each entry has a hash over itself and all before it, so that a changed or removed one is found.
CREATE TABLE onemap.audit (
  number bigint PRIMARY KEY,
  entry text NOT NULL UNIQUE,
  body text NOT NULL,
  hash text NOT NULL
);
COMMENT ON TABLE onemap.audit IS '审计日志 Audit log: who did what, when and from where; verify it with onemap audit verify';
