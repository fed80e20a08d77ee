;;! does = "A section that says it has four gigabytes."
;;! bound = "a damaged file is refused with the place"
;;! verdict.refused = ""
;;! form = "hex"
0061736d0d000100 00 ffffffff0f 0161
