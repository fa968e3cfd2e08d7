-- Which rows of tv.appointment `a` are on the page, in its order; needs the CTE `span`.
AND a.starts_at >= span.starts AND (span.ends IS NULL OR a.starts_at < span.ends)
AND (a.starts_at, a.id) > (span.after_starts_at, span.after_id)
AND (:status::text IS NULL OR a.status = :status)
ORDER BY a.starts_at, a.id
LIMIT :rows::integer
