/// The program: reads cases, runs those it can, compares, reports.
///
/// Ends with 0 if no case failed, 1 if some did, 2 for a command line or file that can't be used.
public struct ConformanceCommand {
    private let makeRunner: (RunOptions) throws -> any CaseRunner
    private let files: CaseFile
    private let missing: Set<Feature>
    private let output: (String) -> Void

    /// Makes the program.
    ///
    /// - Parameters:
    ///   - files: reads the cases.
    ///   - missing: the features whose cases are skipped.
    ///   - output: takes each line of the report.
    ///   - makeRunner: makes the runner that all cases share.
    public init(
        files: CaseFile = .unpacking, missing: Set<Feature> = Feature.missing,
        output: @escaping (String) -> Void = { print($0) },
        makeRunner: @escaping (RunOptions) throws -> any CaseRunner
    ) {
        self.files = files
        self.missing = missing
        self.output = output
        self.makeRunner = makeRunner
    }

    /// Runs the program with the arguments after its name and returns its exit status.
    public func run(_ arguments: [String]) async -> Int32 {
        do {
            guard let options = try RunOptions.parse(arguments) else {
                output(RunOptions.usage)
                return 0
            }
            switch options.command {
            case .run: return try await run(options)
            case .truth: return try await judge(options)
            case .generate: return try generate(options)
            }
        } catch let error as RunOptions.UsageError {
            output("\(error)\n\n\(RunOptions.usage)")
        } catch {
            output("error: \(error)")
        }
        return 2
    }

    private func run(_ options: RunOptions) async throws -> Int32 {
        var cases: [ConformanceCase] = []
        for path in options.paths { cases += try files.cases(at: path) }
        let outputs = try RunOutputs(options)
        let runner = try makeRunner(options)
        var report = RunReport()
        for item in cases {
            let outcome = try await outcome(of: item, runner, outputs)
            report.add(outcome)
            try outputs.add(outcome, id: item.id)
            for line in outcome.lines(id: item.id) { output(line) }
        }
        try outputs.close()
        output(report.summary)
        return report.failed == 0 ? 0 : 1
    }

    private func judge(_ options: RunOptions) async throws -> Int32 {
        var report = RunReport()
        var values = 0
        func add(_ item: ConformanceCase, _ name: String, rotation: UInt64? = nil) async throws {
            let missing = try item.missingFeatures(missing)
            var verdict: LineageTruth.Outcome?
            if missing.isEmpty {
                verdict =
                    options.asApplication
                    ? await TruthRun.judgeApplication(item)
                    : TruthRun.judge(item, rotation: rotation)
            }
            values += verdict?.checkedValues ?? 0
            let problems = verdict?.problems ?? []
            let outcome: CaseOutcome =
                verdict == nil ? .skipped(missing.map(\.rawValue)) : problems.isEmpty ? .passed : .failed(problems, nil)
            report.add(outcome)
            for line in outcome.lines(id: name) { output(line) }
        }
        for path in options.paths { for item in try files.cases(at: path) { try await add(item, item.id) } }
        if let seeds = options.seeds {
            for index in 0..<UInt64(seeds.count) {
                let seed = seeds.first &+ index
                if options.kinds.contains(.lineage) {
                    for caches in LineageGenerator.Caches.allCases {
                        let item = try LineageGenerator.makeCase(seed: seed, caches: caches)
                        try await add(item, "\(item.id), caches \(caches)", rotation: seed)
                    }
                }
                guard options.kinds.contains(.topology) else { continue }
                let item = try TopologyGenerator.makeCase(seed: seed)
                try await add(item, item.id, rotation: seed)
            }
        }
        output("\(report.summary); \(values) values judged")
        return report.failed == 0 ? 0 : 1
    }

    private func generate(_ options: RunOptions) throws -> Int32 {
        let file = try LineFile(options.paths.first)
        guard let seeds = options.seeds else { return 2 }
        for index in 0..<UInt64(seeds.count) {
            let seed = seeds.first &+ index
            if options.kinds.contains(.lineage) { try file.write("\(LineageGenerator.json(seed: seed))") }
            if options.kinds.contains(.topology) { try file.write("\(TopologyGenerator.json(seed: seed))") }
        }
        try file.close()
        return 0
    }

    private func outcome(
        of item: ConformanceCase, _ runner: any CaseRunner, _ outputs: RunOutputs
    ) async throws -> CaseOutcome {
        let features = try item.missingFeatures(missing)
        guard features.isEmpty else { return .skipped(features.map(\.rawValue)) }
        if let reason = runner.reasonToSkip(item) { return .skipped([reason]) }
        let run: CaseRun
        do { run = try await runner.run(item) } catch { return .failed(["runner: \(error)"], nil) }
        try outputs.add(run)
        let differences = CaseComparison.differences(expected: item.expected, actual: run.result)
        return differences.isEmpty ? .passed : .failed(differences, run.result)
    }
}

/// The files that a run writes.
private struct RunOutputs {
    private let json: LineFile
    private let lineage: LineFile
    private let spans: LineFile

    init(_ options: RunOptions) throws(CaseError) {
        json = try LineFile(options.jsonOutput)
        lineage = try LineFile(options.lineageOutput)
        spans = try LineFile(options.spansOutput)
    }

    func add(_ run: CaseRun) throws(CaseError) {
        for line in run.lineage { try lineage.write("\(line)") }
        for line in run.spans { try spans.write("\(line)") }
    }

    func add(_ outcome: CaseOutcome, id: String) throws(CaseError) { try json.write("\(outcome.json(id: id))") }

    func close() throws(CaseError) {
        try json.close()
        try lineage.close()
        try spans.close()
    }
}

/// What became of a case.
enum CaseOutcome {
    case passed
    case failed([String], ActualResult?)
    case skipped([String])

    /// More differences than these help nobody; all of them are in the JSON.
    private static let shownDifferences = 20

    func lines(id: String) -> [String] {
        switch self {
        case .passed: return []
        case .skipped(let reasons): return ["skipped \(id): \(reasons.joined(separator: ", "))"]
        case .failed(let differences, _):
            var lines = ["failed \(id)"]
            lines += differences.prefix(Self.shownDifferences).map { "  \($0)" }
            let more = differences.count - Self.shownDifferences
            if more > 0 { lines.append("  and \(more) more") }
            return lines
        }
    }

    func json(id: String) -> JSONValue {
        var fields: [(name: String, value: JSONValue)] = [("case", .string(id))]
        switch self {
        case .passed: fields.append(("outcome", .string("passed")))
        case .skipped(let reasons):
            fields.append(("outcome", .string("skipped")))
            fields.append(("missing", .array(reasons.map { .string($0) })))
        case .failed(let differences, let actual):
            fields.append(("outcome", .string("failed")))
            fields.append(("differences", .array(differences.map { .string($0) })))
            if let actual { fields.append(("actual", actual.json)) }
        }
        return .fields(fields)
    }
}

/// The counts of a run.
struct RunReport {
    private(set) var passed = 0
    private(set) var failed = 0
    private(set) var skipped = 0

    mutating func add(_ outcome: CaseOutcome) {
        switch outcome {
        case .passed: passed += 1
        case .failed: failed += 1
        case .skipped: skipped += 1
        }
    }

    var summary: String { "\(passed) passed, \(failed) failed, \(skipped) skipped" }
}
