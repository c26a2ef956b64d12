-- Notes changes of tables that other programs own: the layer and the key column are the trigger's arguments.
CREATE FUNCTION onemap.note_foreign() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  entry CONSTANT text := format('INSERT INTO onemap.changes (layer, id) SELECT %L, %I::text FROM ', TG_ARGV[0], TG_ARGV[1]);
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    INSERT INTO onemap.changes (layer, id) VALUES (TG_ARGV[0], NULL);
  END IF;
  IF TG_OP IN ('INSERT', 'UPDATE') THEN
    EXECUTE entry || 'now_rows';
  END IF;
  IF TG_OP IN ('UPDATE', 'DELETE') THEN
    EXECUTE entry || 'old_rows';
  END IF;
  RETURN NULL;
END $$;
