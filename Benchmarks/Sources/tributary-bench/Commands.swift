import Foundation

/// All benchmarks by name; each is made when it is asked for, since making one writes its input.
let benchmarks: [NamedBenchmark] = layerBenchmarks + operatorBenchmarks

typealias NamedBenchmark = (name: String, make: @Sendable (Options) throws -> Benchmark)

private let layerBenchmarks: [NamedBenchmark] = [
    // First: what others left on the heap would be in them.
    ("memory-10k", { try memoryBenchmark(name: "memory-10k", keys: 10_000, $0) }),
    ("memory-1m", { try memoryBenchmark(name: "memory-1m", keys: 1_000_000, $0) }),
    ("count-10k", { try countBenchmark(name: "count-10k", keys: 10_000, $0) }),
    ("count-1m", { try countBenchmark(name: "count-1m", keys: 1_000_000, $0) }),
    ("count-10k-defaults", { try defaultCountBenchmark(name: "count-10k-defaults", keys: 10_000, $0) }),
    ("count-1m-defaults", { try defaultCountBenchmark(name: "count-1m-defaults", keys: 1_000_000, $0) }),
    ("store-10k", { storeBenchmark(name: "store-10k", keys: 10_000, $0) }),
    ("store-1m", { storeBenchmark(name: "store-1m", keys: 1_000_000, $0) }),
    ("shared-cache", { sharedCacheBenchmark($0) }),
    ("log", { logBenchmark($0) }),
    ("compaction-10k", { compactionBenchmark(name: "compaction-10k", keys: 10_000, $0) }),
    ("compaction-1m", { compactionBenchmark(name: "compaction-1m", keys: 1_000_000, $0) }),
    ("deletion", { deletionBenchmark($0) }),
    ("partitions", { partitionsBenchmark($0) }),
    ("restore-1m", { try restoreBenchmark(name: "restore-1m", records: 1_000_000, $0) }),
    ("restore-5m", { try restoreBenchmark(name: "restore-5m", records: 5_000_000, $0) }),
]

private let operatorBenchmarks: [NamedBenchmark] = {
    var all: [NamedBenchmark] = []
    for workload in OperatorWorkload.all { all.append((workload.name, { try operatorBenchmark(workload, $0) })) }
    for (name, workloads) in OperatorWorkload.growing {
        all.append((name, { try growthBenchmark(name, workloads, $0) }))
    }
    return all
}()

let usage = """
    usage: tributary-bench NAME... [--rounds N] [--json] [--check] [--only SIDE] [--thresholds FOLDER] [--folder FOLDER]

    Runs both sides of each comparison in turn in this process and prints the least time per operation, the median,
    the ratio to the first side, and allocations per operation.

      tracing       what lineage costs in a state store, layer by layer: alone, as NAME

      --json        one JSON line a side
      --check       exits 1 if a figure is above its threshold
      --folder      where the logs and stores of a run are made; $TMPDIR or /tmp by default
      --rounds      how often each side runs; 3 by default
      --only        runs one side, for a profiler

    NAME is one of: \(benchmarks.map(\.name).joined(separator: ", "));
    or operators (every stateful operator), or all
    """

struct UsageError: Error { let text: String }

func parse(_ arguments: [String]) throws -> Options {
    var options = Options()
    var rest = arguments[...]
    func value(_ name: String) throws -> String {
        guard let value = rest.popFirst() else { throw UsageError(text: "\(name) needs a value") }
        return value
    }
    while let argument = rest.popFirst() {
        switch argument {
        case "--json": options.json = true
        case "--check": options.check = true
        case "--rounds":
            guard let rounds = Int(try value(argument)), rounds > 0 else {
                throw UsageError(text: "--rounds needs a number above 0")
            }
            options.rounds = rounds
        case "--only": options.only = try value(argument)
        case "--thresholds": options.thresholds = try value(argument)
        case "--folder": options.folder = try value(argument)
        case "tracing": options.tracing = true
        case "all": options.names += benchmarks.map(\.name)
        case "operators": options.names += OperatorWorkload.all.map(\.name)
        case let name where benchmarks.contains { $0.name == name }: options.names.append(name)
        default: throw UsageError(text: "unknown: \(argument)")
        }
    }
    if options.names.isEmpty && !options.tracing { throw UsageError(text: "no benchmark named") }
    return options
}

func runBenchmarks(_ arguments: [String]) -> Int32 {
    do {
        var options = try parse(arguments)
        var template = Array("\(options.folder)/tributary-bench-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw UsageError(text: "no folder can be made in \(options.folder)") }
        options.folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer { try? FileManager.default.removeItem(atPath: options.folder) }
        if options.tracing { try TracingBenchmark.run(options) }
        var failures: [String] = []
        for (name, make) in benchmarks where options.names.contains(name) {
            var own = options
            own.folder += "/\(name)"
            try FileManager.default.createDirectory(atPath: own.folder, withIntermediateDirectories: true)
            let results = try measure(try make(own), own)
            try report(results, json: options.json)
            if options.check { failures += try violations(results, options.thresholds) }
            try FileManager.default.removeItem(atPath: own.folder)
        }
        for failure in failures { complain(failure) }
        return failures.isEmpty ? 0 : 1
    } catch let error as UsageError {
        complain("\(error.text)\n\n\(usage)")
        return 2
    } catch {
        complain("\(error)")
        return 1
    }
}

private func complain(_ text: String) { FileHandle.standardError.write(Data((text + "\n").utf8)) }
