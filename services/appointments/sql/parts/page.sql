-- Which rows of tv.appointment `a` are on the page, in its order; needs the CTE `span`. Scalar
-- subqueries, so that an index of (…, starts_at, id) is entered where the page begins.
AND a.starts_at >= (SELECT starts FROM span)
AND a.starts_at < (SELECT ends FROM span)
AND (a.starts_at, a.id) > ((SELECT after_starts_at FROM span), (SELECT after_id FROM span))
AND (:status::text IS NULL OR a.status = :status)
ORDER BY a.starts_at, a.id
LIMIT :rows::integer
