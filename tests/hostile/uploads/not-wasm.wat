;;! does = "A program for Linux."
;;! bound = "the kind of a file is looked at first"
;;! verdict.refused = "WebAssembly"
;;! form = "hex"
7f454c4602010100 <<4_000 * 00>>
