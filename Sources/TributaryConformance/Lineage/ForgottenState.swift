/// What a restart may change of what a case does: what lies in memory alone, here as in Kafka Streams (Docs/Semantics.md, What a restart forgets).
struct ForgottenState {
    /// Why runs with and without a restart can't be compared; nil if they must be equal.
    let reason: String?
    /// The stores whose caches show rows that the store itself no longer does, or not yet again.
    let stores: Set<String>

    init(_ item: ConformanceCase, stores: Set<String>) throws(CaseError) {
        self.stores = item.config.cacheBytes > 0 ? stores : []
        let graph = try OperatorGraph(item)
        if (1..<(1 << 20)).contains(item.config.cacheBytes) {
            // What is in it decides what is flushed when.
            reason = "a small cache is empty again"
        } else if item.config.cacheBytes > 0, graph.has(.cachedWindows) || graph.hasWindowedCogroup {
            reason = "a cache has shown rows that its store no longer does"
        } else if item.config.cacheBytes > 0, graph.has(.plainTable) {
            reason = "a cache has known times that a plain store doesn't keep"
        } else if graph.has(.schedule) {
            reason = "schedules begin anew"
        } else if graph.has(.order) {
            reason = "a bounded store forgets the order of use"
        } else if graph.has(.unmatched) {
            reason = "a join forgets since when records wait for a match"
        } else if item.config.emitInterval > 0, graph.has(.emission) {
            reason = "pauses between results begin anew"
        } else if graph.has(.time), graph.has(.shift) || !Self.isInOrder(item) || graph.hasTimeBehindEmission {
            reason = "operators forget their stream time"
        } else {
            reason = nil
        }
    }

    private static func isInOrder(_ item: ConformanceCase) -> Bool {
        var last = Int64.min
        for case .pipe(let record) in item.steps {
            guard record.timestamp >= last else { return false }
            last = record.timestamp
        }
        return true
    }
}

/// What the statements of a case have that a restart forgets, and what is behind them.
private struct OperatorGraph {
    enum Trait { case schedule, order, time, emission, shift, cachedWindows, unmatched, plainTable, severalTimes }

    private struct Node {
        var traits: Set<Trait>
        var inputs: [String]
        var id: String?
    }

    private var nodes: [Node] = []

    init(_ item: ConformanceCase) throws(CaseError) {
        for statement in item.topology {
            var inputs: [String] = []
            for field in ["in", "in2"] { if let input = try statement.fields.text(field) { inputs.append(input) } }
            for part in try statement.fields.list("inputs") ?? [] {
                if let input = part.object?["in"]?.string { inputs.append(input) }
            }
            var ids = [try statement.id]
            if statement.operation == .split { ids = try statement.branches.map(\.id) }
            for id in ids { nodes.append(Node(traits: try Self.traits(statement), inputs: inputs, id: id)) }
        }
    }

    func has(_ trait: Trait) -> Bool { nodes.contains { $0.traits.contains(trait) } }

    /// Whether what is sent late, with the time of long ago, comes to an operator that has forgotten how late it is.
    var hasTimeBehindEmission: Bool {
        var late: Set<String> = []
        for node in nodes {
            let isLate = node.inputs.contains { late.contains($0) }
            if isLate, node.traits.contains(.time) { return true }
            guard isLate || node.traits.contains(.emission), let id = node.id else { continue }
            late.insert(id)
        }
        return false
    }

    /// Whether several streams, each with a stream time of its own, have a windowed store in common, whose rows go by the greatest.
    var hasWindowedCogroup: Bool {
        let cogroups = Set(nodes.filter { $0.traits.contains(.severalTimes) }.compactMap(\.id))
        return nodes.contains { $0.traits.contains(.time) && $0.inputs.contains { cogroups.contains($0) } }
    }

    private static func traits(_ statement: Statement) throws(CaseError) -> Set<Trait> {
        var traits: Set<Trait> = []
        switch try statement.materialized?.store {
        case .supplierLRU: traits.insert(.order)
        case .supplierVersioned: traits.insert(.time)
        case .supplierPlain: traits.insert(.plainTable)
        default: break
        }
        switch statement.operation {
        case .stream: if statement.fields.has("extractor") { traits.insert(.shift) }
        case .windowedBy:
            traits.insert(.time)
            if try statement.fields.text("emit") == "onWindowClose" { traits.insert(.emission) }
            // A record may reach back to a session that ended before the store's retention.
            if try statement.fields.fields("window")?.text("kind") == "session" { traits.insert(.cachedWindows) }
        case .cogroup: if (try statement.fields.list("inputs") ?? []).count > 1 { traits.insert(.severalTimes) }
        case .suppress: traits.formUnion([.time, .emission])
        case .join:
            if statement.fields.has("graceMs") { traits.formUnion([.time, .emission]) }
            if statement.fields.has("window") {
                traits.insert(.time)
                if try statement.fields.text("type") != "inner" { traits.formUnion([.emission, .unmatched]) }
            }
        case .store:
            let type = try statement.fields.text("type") ?? ""
            if ["window", "session", "versioned"].contains(type) { traits.insert(.time) }
            if ["window", "session"].contains(type), try statement.fields.bool("cache") == true {
                traits.insert(.cachedWindows)
            }
        case .process, .processValues:
            switch try statement.processor.kind {
            case .counter, .ttl, .punctuate: traits.insert(.schedule)
            case .fold: if try statement.processor.fields.has("everyMs") { traits.insert(.schedule) }
            case .shiftTs: traits.insert(.shift)
            default: break
            }
        default: break
        }
        return traits
    }
}
