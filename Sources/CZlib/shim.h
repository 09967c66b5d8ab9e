#if !__has_include(<zlib.h>)
#error "zlib is missing. Install it: apt-get install zlib1g-dev, or brew install zlib"
#endif
#define ZLIB_CONST
#include <zlib.h>

// inflateInit2 is a macro, which Swift does not import. 15 + 16 window bits: gzip.
static inline int zlib_inflate_gzip(z_stream *stream) { return inflateInit2(stream, 15 + 16); }
static inline int zlib_deflate_gzip(z_stream *stream, int level) {
    return deflateInit2(stream, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
}
