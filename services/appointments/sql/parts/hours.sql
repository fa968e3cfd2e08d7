-- One WeeklyHours as ProtoJSON, of a row `v` of tv.availability.
json_build_object(
    'weekday', v.weekday,
    'from', to_char(v.begins, 'HH24:MI'),
    'to', to_char(v.ends, 'HH24:MI'),
    'slotMinutes', v.slot_minutes)
