#if !__has_include(<microhttpd.h>)
#error "libmicrohttpd is missing. Install it: apt-get install libmicrohttpd-dev, or brew install libmicrohttpd"
#endif
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <microhttpd.h>

// The calls with a variable list of arguments, which Swift does not import.
static inline struct MHD_Daemon *_Nullable mhd_start(
    unsigned flags, uint16_t port, MHD_AccessHandlerCallback _Nonnull handler, void *_Nullable context,
    const struct MHD_OptionItem *_Nonnull options) {
    return MHD_start_daemon(flags, port, NULL, NULL, handler, context, MHD_OPTION_ARRAY, options, MHD_OPTION_END);
}

static inline unsigned mhd_bound_port(struct MHD_Daemon *_Nonnull daemon) {
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT);
    return info ? info->port : 0;
}

// Takes the library's own messages, which otherwise go to the standard error. The option must be the first.
static inline void mhd_discard_log(void *context, const char *format, va_list arguments) {
    (void)context; (void)format; (void)arguments;
}
static inline long mhd_discarding_log(void) { return (long)&mhd_discard_log; }
