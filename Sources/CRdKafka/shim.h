#if !__has_include(<librdkafka/rdkafka.h>)
#error "librdkafka is missing. Install it: apt-get install librdkafka-dev, or brew install librdkafka"
#endif
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
