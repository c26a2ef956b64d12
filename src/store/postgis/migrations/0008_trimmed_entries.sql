-- Number and sum of the hashes of the entries that were removed: with those of the log they identify the state of the data.
ALTER TABLE onemap.trimmed ADD COLUMN entries bigint NOT NULL DEFAULT 0, ADD COLUMN digest numeric NOT NULL DEFAULT 0;
