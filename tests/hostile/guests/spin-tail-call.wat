;;! does = "Replaces itself by itself for ever: no stack grows, nothing returns."
;;! bound = "fuel of a turn"
;;! verdict.fails = { code = ["fuel", "wall-time"], says = "limit" }
(func $on (result i32) (return_call $on))
(func $handle (param i32) (result i32) (call $on))
