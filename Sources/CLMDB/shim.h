// If this header is missing: apt-get install liblmdb-dev, or brew install lmdb.
#include <lmdb.h>
