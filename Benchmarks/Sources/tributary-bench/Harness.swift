import Foundation

/// What one side of a comparison took in one round.
struct Sample {
    /// Wall time per operation, ns.
    var wall: Double
    /// CPU time of the process per operation, ns.
    var cpu: Double
    /// Allocations per operation on the measured thread; nil where they aren't counted.
    var allocations: Double?
    /// Other figures, by name.
    var others: [String: Double] = [:]
}

/// One side of a comparison.
struct Side {
    let name: String
    let run: () throws -> Sample
}

/// Sides that do the same work, run in turn; the first is what the others are compared with.
struct Benchmark {
    let name: String
    let unit: String
    let sides: [Side]
    /// The side that added costs are counted from; nil for none.
    var addedTo: String?
}

/// A side's figures over all rounds.
struct Result: Codable {
    var benchmark: String
    var side: String
    var unit: String
    var rounds: Int
    var minimum: Double
    var median: Double
    var cpuMinimum: Double
    var cpuMedian: Double
    /// To the first side: of the minima.
    var ratio: Double
    var cpuRatio: Double
    /// ns above the side that added costs are counted from.
    var added: Double?
    var allocations: Double?
    var others: [String: Double]
}

/// Upper bounds of one benchmark; allocations are exact, in whole ones per operation.
struct Thresholds: Codable {
    struct Bounds: Codable {
        var ratio: Double?
        var cpuRatio: Double?
        var added: Double?
        var allocations: Int?
        var others: [String: Double]?
    }
    var sides: [String: Bounds]
}

struct Options {
    var names: [String] = []
    var rounds = 3
    var json = false
    var check = false
    var thresholds = "Thresholds"
    var folder = ProcessInfo.processInfo.environment["TMPDIR"] ?? "/tmp"
    var only: String?
    var tracing = false
}

/// Runs the sides in turn, the order reversed each round.
func measure(_ benchmark: Benchmark, _ options: Options) throws -> [Result] {
    var samples: [String: [Sample]] = [:]
    let sides = benchmark.sides.filter { options.only == nil || $0.name == options.only }
    for round in 0..<options.rounds {
        for side in round % 2 == 0 ? sides : sides.reversed() {
            samples[side.name, default: []].append(try side.run())
        }
    }
    var results: [Result] = []
    for side in sides {
        guard let all = samples[side.name], !all.isEmpty else { continue }
        let walls = all.map(\.wall).sorted()
        let cpus = all.map(\.cpu).sorted()
        var others: [String: Double] = [:]
        for name in all[0].others.keys { others[name] = all.compactMap { $0.others[name] }.min() }
        results.append(
            Result(
                benchmark: benchmark.name, side: side.name, unit: benchmark.unit, rounds: options.rounds,
                minimum: walls[0], median: walls[walls.count / 2], cpuMinimum: cpus[0],
                cpuMedian: cpus[cpus.count / 2], ratio: walls[0] / (results.first?.minimum ?? walls[0]),
                cpuRatio: cpus[0] / (results.first?.cpuMinimum ?? cpus[0]), added: nil,
                allocations: all.compactMap(\.allocations).min(), others: others))
    }
    if let base = results.first(where: { $0.side == benchmark.addedTo }) {
        for index in results.indices { results[index].added = results[index].cpuMinimum - base.cpuMinimum }
    }
    return results
}

func report(_ results: [Result], json: Bool) throws {
    if json {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        for result in results { print(String(decoding: try encoder.encode(result), as: UTF8.self)) }
        return
    }
    guard let first = results.first else { return }
    print("\(first.benchmark), ns per \(first.unit), \(first.rounds) rounds")
    let columns = ["side", "wall min", "median", "ratio", "cpu min", "median", "ratio", "added", "allocs"]
    print(columns[0].padding(toLength: 22, withPad: " ", startingAt: 0) + columns.dropFirst().map(right).joined())
    for result in results {
        let cells = [
            number(result.minimum), number(result.median), number(result.ratio, 2), number(result.cpuMinimum),
            number(result.cpuMedian), number(result.cpuRatio, 2), result.added.map { number($0) } ?? "",
            result.allocations.map { number($0, 3) } ?? "",
        ]
        let others = result.others.sorted { $0.key < $1.key }.map { "  \($0.key) \(number($0.value))" }.joined()
        print(
            result.side.padding(toLength: 22, withPad: " ", startingAt: 0) + cells.map(right).joined() + others)
    }
    print("")
}

private func right(_ text: String) -> String {
    String(repeating: " ", count: max(10 - text.count, 1)) + text
}

private func number(_ value: Double, _ digits: Int = 1) -> String { String(format: "%.\(digits)f", value) }

/// What is above its threshold, one sentence each.
func violations(_ results: [Result], _ folder: String) throws -> [String] {
    guard let name = results.first?.benchmark else { return [] }
    let file = "\(folder)/\(name).json"
    guard let data = FileManager.default.contents(atPath: file) else { return ["\(file) is missing"] }
    let thresholds = try JSONDecoder().decode(Thresholds.self, from: data)
    var found: [String] = []
    for result in results {
        guard let bounds = thresholds.sides[result.side] else { continue }
        func compare(_ what: String, _ value: Double?, _ bound: Double?) {
            guard let value, let bound, value > bound else { return }
            found.append("\(name), \(result.side): \(what) \(number(value, 2)) is above \(number(bound, 2))")
        }
        compare("ratio", result.ratio, bounds.ratio)
        compare("CPU ratio", result.cpuRatio, bounds.cpuRatio)
        compare("added ns", result.added, bounds.added)
        for (other, bound) in bounds.others ?? [:] { compare(other, result.others[other], bound) }
        if let bound = bounds.allocations, let value = result.allocations, Int(value) != bound {
            found.append("\(name), \(result.side): \(Int(value)) allocations, not \(bound)")
        }
    }
    return found
}
