#if !__has_include(<curl/curl.h>)
#error "libcurl is missing. Install it: apt-get install libcurl4-openssl-dev, or brew install curl"
#endif
#include <curl/curl.h>

// curl_easy_setopt and curl_easy_getinfo are variadic macros, which Swift does not import: one function for each C type.
static inline CURLcode curl_set_long(CURL *c, CURLoption o, long v) { return curl_easy_setopt(c, o, v); }
static inline CURLcode curl_set_off_t(CURL *c, CURLoption o, curl_off_t v) { return curl_easy_setopt(c, o, v); }
static inline CURLcode curl_set_pointer(CURL *c, CURLoption o, const void *v) { return curl_easy_setopt(c, o, v); }
static inline CURLcode curl_set_string(CURL *c, CURLoption o, const char *v) { return curl_easy_setopt(c, o, v); }
static inline CURLcode curl_set_write(CURL *c, curl_write_callback f, void *x) {
    curl_easy_setopt(c, CURLOPT_WRITEDATA, x);
    return curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, f);
}
static inline CURLcode curl_get_long(CURL *c, CURLINFO i, long *v) { return curl_easy_getinfo(c, i, v); }
static inline CURLcode curl_get_off_t(CURL *c, CURLINFO i, curl_off_t *v) { return curl_easy_getinfo(c, i, v); }
static inline CURLcode curl_get_string(CURL *c, CURLINFO i, char **v) { return curl_easy_getinfo(c, i, v); }
