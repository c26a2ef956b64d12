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

-- New features are listed together in `ids`.
CREATE TABLE onemap.import_rows (
  import text NOT NULL,
  id text,
  before jsonb,
  geom {postgis}.geometry,
  ids text[]
);
CREATE INDEX import_rows_import ON onemap.import_rows (import);
COMMENT ON TABLE onemap.import_rows IS '导入前的内容 What features were before an import changed them';

-- An import of very many rows notes once that the whole layer changed, instead of each row; it sets onemap.bulk for its
-- transaction.
CREATE OR REPLACE FUNCTION onemap.is_bulk() RETURNS boolean LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS
  $$ SELECT coalesce(current_setting('onemap.bulk', true), '') = 'on' $$;

CREATE OR REPLACE FUNCTION onemap.note_inserted() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT onemap.is_bulk() THEN
    INSERT INTO onemap.changes (layer, id) SELECT TG_TABLE_NAME, id FROM now_rows;
  END IF;
  RETURN NULL;
EXCEPTION WHEN OTHERS THEN
  PERFORM onemap.note_reset(TG_TABLE_NAME, SQLERRM);
  RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION onemap.note_updated() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT onemap.is_bulk() THEN
    INSERT INTO onemap.changes (layer, id)
      SELECT TG_TABLE_NAME, id FROM (SELECT id FROM now_rows UNION SELECT id FROM old_rows) AS touched;
  END IF;
  RETURN NULL;
EXCEPTION WHEN OTHERS THEN
  PERFORM onemap.note_reset(TG_TABLE_NAME, SQLERRM);
  RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION onemap.note_deleted() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT onemap.is_bulk() THEN
    INSERT INTO onemap.changes (layer, id) SELECT TG_TABLE_NAME, id FROM old_rows;
  END IF;
  RETURN NULL;
EXCEPTION WHEN OTHERS THEN
  PERFORM onemap.note_reset(TG_TABLE_NAME, SQLERRM);
  RETURN NULL;
END $$;
