-- The change log and the functions that write it, with the rights of their owner: whoever may change a layer
-- need not have rights on the log.
CREATE TABLE onemap.changes (
  position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  transaction xid8 NOT NULL DEFAULT pg_current_xact_id(),
  layer text NOT NULL,
  id text, -- NULL: the whole layer
  changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX changes_transaction ON onemap.changes (transaction);
COMMENT ON TABLE onemap.changes IS '变更记录 Change log: which feature of which layer changed, in which transaction';

CREATE FUNCTION onemap.note_inserted() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO onemap.changes (layer, id) SELECT TG_TABLE_NAME, id FROM now_rows;
  RETURN NULL;
END $$;

CREATE FUNCTION onemap.note_updated() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO onemap.changes (layer, id)
    SELECT TG_TABLE_NAME, id FROM (SELECT id FROM now_rows UNION SELECT id FROM old_rows) AS touched;
  RETURN NULL;
END $$;

CREATE FUNCTION onemap.note_deleted() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO onemap.changes (layer, id) SELECT TG_TABLE_NAME, id FROM old_rows;
  RETURN NULL;
END $$;

CREATE FUNCTION onemap.note_truncated() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO onemap.changes (layer, id) VALUES (TG_TABLE_NAME, NULL);
  RETURN NULL;
END $$;

-- Up to which transaction old entries were removed; a reader that stopped before it has to read everything.
CREATE TABLE onemap.trimmed (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  up_to xid8 NOT NULL
);

-- Calls whoever follows the log; a hint to look, so a database without NOTIFY loses nothing but time.
CREATE FUNCTION onemap.call_followers() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM pg_notify('onemap_changes', '');
  RETURN NULL;
END $$;
CREATE TRIGGER onemap_called AFTER INSERT ON onemap.changes FOR EACH STATEMENT EXECUTE FUNCTION onemap.call_followers();
