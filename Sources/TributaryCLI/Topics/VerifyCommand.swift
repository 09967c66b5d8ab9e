internal import TributaryCore
internal import TributaryLMDB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// `tributary topics verify`, and the child process that does the walking.
enum VerifyCommand {
    /// What the command ends with, beside 0 for a sound log and 2 for wrong arguments.
    enum Status {
        /// Something was found wrong.
        static let finding: Int32 = 1
        /// The walk crashed, or was ended at a limit: what it would have found is not known.
        static let unfinished: Int32 = 3
    }

    static let spec = CommandSpec(
        words: ["topics", "verify"],
        summary: "Reads a whole log and checks it: pages, rows, checksums, offsets, sizes.",
        details:
            "The walk is done in a child process, which may take so much time and memory and ends with this one. Everything "
            + "that is found wrong is printed with its coordinates. The exit status is 0 for a sound log, 1 if something was "
            + "found, 3 if the walk crashed, came to a limit or could not begin.",
        options: [
            LogAccess.embedded,
            .integer("time-limit", "SECONDS", "how long the walk may take; 0 for no limit, the default"),
            .integer("memory-limit", "MIB", "how much memory it may take; 1024 unless told otherwise, 0 for no limit"),
            .flag("in-process", "walk in this process: if it crashes, it crashes here"),
            .flag("tied", "with --in-process: end when standard input does"),
        ],
        examples: ["tributary topics verify --log ./bank-data"], run: { try run($0, $1) })

    private static func run(_ arguments: Arguments, _ console: Console) throws -> Int32 {
        let path = try arguments.required("log")
        let seconds = try limit("time-limit", arguments) ?? 0
        let mebibytes = try limit("memory-limit", arguments) ?? 1024
        guard arguments.has("in-process") else { return try inChild(path, console, seconds, mebibytes) }
        if arguments.has("tied") {
            limitMemory(mebibytes << 20)
            ChildProcess.endWithStandardInput()
        }
        let log: EmbeddedLog
        do { log = try LogAccess.open(path, for: .reading) } catch let error as LogError {
            console.line("\(error)")
            return [.corrupt, .unknownFormat].contains(error.code) ? Status.finding : Status.unfinished
        }
        defer { log.close() }
        var verifier = EmbeddedLogVerifier(log)
        verifier.run()
        for finding in verifier.findings { console.line("\(finding)") }
        let size =
            "\(NumberText.grouped(Int64(verifier.batches))) batches, \(NumberText.grouped(Int64(verifier.records))) records"
        if verifier.findings.isEmpty {
            console.line("\(size): all is well")
        } else {
            console.line("\(size): \(verifier.findings.count) findings")
        }
        return verifier.findings.isEmpty ? 0 : Status.finding
    }

    private static func limit(_ name: String, _ arguments: Arguments) throws -> Int64? {
        guard let value = arguments.integer(name) else { return nil }
        guard value >= 0, value <= 1 << 32 else { throw UsageError("--\(name) is a number from 0") }
        return value
    }

    private static func inChild(
        _ path: String, _ console: Console, _ seconds: Int64, _ mebibytes: Int64
    ) throws -> Int32 {
        let child = try ChildProcess(
            ["topics", "verify", "--in-process", "--tied", "--memory-limit", "\(mebibytes)", "--log", path],
            isTied: true)
        let end = seconds == 0 ? Int64.max : MonotonicClock.nanoseconds + seconds * 1_000_000_000
        while true {
            // The ending first: what was written before it is then in the pipe.
            let ending = child.poll()
            for line in child.lines(wait: ending == nil ? 200 : 0) { console.line(line) }
            switch ending {
            case nil where MonotonicClock.nanoseconds >= end:
                console.line("the walk did not end within \(seconds) s: it was stopped")
                return Status.unfinished
            case nil: continue
            case .exited(let status)?:
                return status
            case .killed(let signal)?:
                console.line(
                    "the walk crashed (signal \(signal)): the log's file is damaged, or the walk needs more than "
                        + "\(mebibytes) MiB of memory")
                return Status.unfinished
            }
        }
    }

    /// Lets this process have so much memory of its own; the log's map is none of it.
    private static func limitMemory(_ bytes: Int64) {
        #if canImport(Glibc)
            guard bytes > 0 else { return }
            var limit = rlimit(rlim_cur: rlim_t(bytes), rlim_max: rlim_t(bytes))
            setrlimit(__rlimit_resource_t(RLIMIT_DATA.rawValue), &limit)
        #endif
    }
}
