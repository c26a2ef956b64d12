-- A write to a layer's table never fails because of our triggers: when a key column was renamed or dropped, the log
-- says that the whole layer changed. Rows without a key are not on the map, so they are not logged.
CREATE OR REPLACE FUNCTION onemap.note_reset(layer text, reason text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE LOG 'onemap: the changes of layer % cannot be noted one by one: %', layer, reason;
  INSERT INTO onemap.changes (layer, id) VALUES (note_reset.layer, NULL);
EXCEPTION WHEN OTHERS THEN
  RAISE WARNING 'onemap: a change of layer % was not noted: %', layer, SQLERRM;
END $$;

CREATE OR REPLACE FUNCTION onemap.note_inserted() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO onemap.changes (layer, id) SELECT TG_TABLE_NAME, id FROM now_rows;
  RETURN NULL;
EXCEPTION WHEN OTHERS THEN
  PERFORM onemap.note_reset(TG_TABLE_NAME, SQLERRM);
  RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION onemap.note_updated() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO onemap.changes (layer, id)
    SELECT TG_TABLE_NAME, id FROM (SELECT id FROM now_rows UNION SELECT id FROM old_rows) AS touched;
  RETURN NULL;
EXCEPTION WHEN OTHERS THEN
  PERFORM onemap.note_reset(TG_TABLE_NAME, SQLERRM);
  RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION onemap.note_deleted() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO onemap.changes (layer, id) SELECT TG_TABLE_NAME, id FROM old_rows;
  RETURN NULL;
EXCEPTION WHEN OTHERS THEN
  PERFORM onemap.note_reset(TG_TABLE_NAME, SQLERRM);
  RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION onemap.note_foreign() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  layer CONSTANT text := TG_ARGV[0];
  key CONSTANT text := TG_ARGV[1];
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    PERFORM onemap.note_reset(layer, 'truncated');
  END IF;
  IF TG_OP IN ('INSERT', 'UPDATE') THEN
    EXECUTE format('INSERT INTO onemap.changes (layer, id) SELECT %L, %I::text FROM now_rows WHERE %2$I IS NOT NULL', layer, key);
  END IF;
  IF TG_OP IN ('UPDATE', 'DELETE') THEN
    EXECUTE format('INSERT INTO onemap.changes (layer, id) SELECT %L, %I::text FROM old_rows WHERE %2$I IS NOT NULL', layer, key);
  END IF;
  RETURN NULL;
EXCEPTION WHEN OTHERS THEN
  PERFORM onemap.note_reset(layer, SQLERRM);
  RETURN NULL;
END $$;

-- A geometry in WGS 84; an empty value where it cannot be transformed, so that one row does not stop a reading.
CREATE FUNCTION onemap.in_wgs84(place bytea, srid integer) RETURNS bytea LANGUAGE plpgsql STABLE SET search_path = {postgis}, pg_catalog, pg_temp AS $$
BEGIN
  RETURN ST_AsEWKB(ST_CurveToLine(ST_Transform(ST_SetSRID(ST_Force2D(ST_GeomFromEWKB(place)), srid), 4326)));
EXCEPTION WHEN OTHERS THEN
  RETURN '\x'::bytea;
END $$;
