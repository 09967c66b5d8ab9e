import TributaryCLI

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

exit(await TributaryCommand().run(Array(CommandLine.arguments.dropFirst())))
