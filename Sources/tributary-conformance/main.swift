import TributaryConformance

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

let command = ConformanceCommand { options in
    if options.asApplication {
        ApplicationRunner()
    } else {
        DriverRunner(isSampled: options.sampler, usesLMDB: options.usesLMDB)
    }
}
exit(await command.run(Array(CommandLine.arguments.dropFirst())))
