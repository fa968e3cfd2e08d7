-- What pages need of people: how far they have read, and errors that point to a field of a form.

-- How far a person has read their notices.
ALTER TABLE tv.inbox_head
    ADD COLUMN read_seq bigint NOT NULL DEFAULT 0,
    ADD CHECK (read_seq BETWEEN 0 AND last_seq);

-- tv.fail with the member at fault: an RFC 6901 pointer into the body, or a parameter's name.
CREATE FUNCTION tv.fail(slug text, detail text, pointer text) RETURNS boolean
    LANGUAGE plpgsql VOLATILE
    AS $$
BEGIN
    IF slug <> 'invalid' THEN
        RAISE EXCEPTION 'tv.fail: only what is invalid is at a place, not: %', slug;
    END IF;
    -- An error of ours has no column; the field carries the pointer (lib/pg.h).
    RAISE EXCEPTION USING ERRCODE = 'TV422', MESSAGE = slug, DETAIL = detail, COLUMN = pointer;
END
$$;
