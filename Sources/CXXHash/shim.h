// If this header is missing: apt-get install libxxhash-dev, or brew install xxhash.
#include <xxhash.h>
