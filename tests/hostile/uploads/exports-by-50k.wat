;;! does = "50,000 exports."
;;! bound = "exports of a module"
;;! verdict.either = ""
<<50_000 * (export "e{#}" (func $handle))
>>
(func $handle (param i32) (result i32) (call $alive))
