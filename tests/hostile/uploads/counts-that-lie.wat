;;! does = "A section of types that says it has four billion of them."
;;! bound = "a damaged file is refused with the place"
;;! verdict.refused = ""
;;! form = "hex"
0061736d0d000100 07 06 ffffffff0f 7f
