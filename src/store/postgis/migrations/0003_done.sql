-- Batches of edits that were asked for under a key, so that the same request sent twice happens once.
CREATE TABLE onemap.done (
  key text PRIMARY KEY,
  digest text NOT NULL,
  outcomes text NOT NULL,
  done_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX done_at ON onemap.done (done_at);
COMMENT ON TABLE onemap.done IS '已处理请求 Requests that were done: a repeated one is answered, not done again';
