;;! does = "60,000 data segments."
;;! bound = "data segments of a module"
;;! verdict.refused = "segments of data"
<<60_000 * (data (i32.const 70000) "x")
>>
(func $handle (param i32) (result i32) (call $alive))
