-- The table of idempotency keys gets the name of what it holds.
ALTER TABLE onemap.done RENAME TO idempotency_keys;
ALTER TABLE onemap.idempotency_keys RENAME COLUMN done_at TO created_at;
ALTER INDEX onemap.done_at RENAME TO idempotency_keys_created_at;
ALTER INDEX onemap.done_pkey RENAME TO idempotency_keys_pkey;
COMMENT ON TABLE onemap.idempotency_keys IS '幂等键 Idempotency keys: a request repeated with its key gets the first outcome again';
