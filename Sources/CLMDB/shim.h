#if !__has_include(<lmdb.h>)
#error "LMDB is missing. Install it: apt-get install liblmdb-dev, or brew install lmdb"
#endif
#include <lmdb.h>
