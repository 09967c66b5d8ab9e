import TributaryConformance

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

exit(
    ConformanceCommand { options in DriverRunner(isSampled: options.sampler) }
        .run(Array(CommandLine.arguments.dropFirst())))
