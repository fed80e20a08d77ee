;;! does = "The first bytes of a component, and no more."
;;! bound = "a damaged file is refused with the place"
;;! verdict.refused = "byte"
;;! form = "hex"
0061736d0d000100 01ffffffff0f
