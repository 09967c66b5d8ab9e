#if !__has_include(<xxhash.h>)
#error "xxHash is missing. Install it: apt-get install libxxhash-dev, or brew install xxhash"
#endif
#include <xxhash.h>
