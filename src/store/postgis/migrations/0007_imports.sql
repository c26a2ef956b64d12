-- The imports, and the rows that each of them changed as they were before: `before` is NULL for a new feature.
CREATE TABLE onemap.imports (
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id text NOT NULL UNIQUE,
  at timestamptz NOT NULL,
  layer text NOT NULL,
  file text NOT NULL,
  actor text NOT NULL,
  mode text NOT NULL,
  counts text NOT NULL,
  first_position bigint NOT NULL, -- entries of the change log that the import wrote
  position bigint NOT NULL,
  undone_at timestamptz,
  undo_first_position bigint, -- entries that undoing it wrote
  undo_position bigint
);
COMMENT ON TABLE onemap.imports IS '导入记录 Imports: who imported which file into which layer';

CREATE TABLE onemap.import_rows (
  import text NOT NULL,
  id text NOT NULL,
  before jsonb,
  geom {postgis}.geometry
);
CREATE INDEX import_rows_import ON onemap.import_rows (import);
COMMENT ON TABLE onemap.import_rows IS '导入前的内容 What features were before an import changed them';
