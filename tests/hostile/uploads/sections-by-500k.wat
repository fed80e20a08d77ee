;;! does = "500,000 empty custom sections."
;;! bound = "a file is looked through once"
;;! verdict.refused = "sections"
;;! form = "hex"
0061736d0d000100 <<500_000 * 00 02 01 61>>
