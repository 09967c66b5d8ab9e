import TributaryConformance

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Stands where the interpreter over the DSL will be: says so for each case, so that none seems to pass.
struct NoRunner: CaseRunner {
    func run(_ conformanceCase: ConformanceCase) throws -> CaseRun {
        throw CaseError("this program is built without an interpreter")
    }
}

exit(ConformanceCommand { _ in NoRunner() }.run(Array(CommandLine.arguments.dropFirst())))
