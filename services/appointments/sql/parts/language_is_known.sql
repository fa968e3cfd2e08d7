-- A branch of CASE for `language`. The languages that the pages have stand here and nowhere else in
-- the services.
        WHEN lower(split_part(language, '-', 1)) NOT IN ('en', 'fr', 'de', 'es', 'ar')
            THEN tv.fail('invalid', 'must be en, fr, de, es or ar, also with a region: de-CH',
                         '/language')
