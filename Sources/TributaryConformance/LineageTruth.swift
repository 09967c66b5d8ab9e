/// Checks what a runner wrote about lineage against the tokens in the values, which are the truth.
///
/// Works on the lines as they are written, with nothing of the code that is checked.
public struct LineageTruth {
    /// The cluster id of conformance cases.
    public static let cluster = "conformance"

    private let times: [SourceToken: Int64]
    private let cluster: String
    /// Whether there are stores whose rows are the records of a source topic: with those records' contexts, and after a restore with none where
    /// they came with none.
    private let hasSourceRows: Bool
    /// Whether values say what they are made of; else cells can only be judged by the spans, and both by themselves.
    private let hasTokens: Bool
    /// Whether joins of tables may have deleted a row, and something made a text of that: its cell is that of the event, though there is a
    /// link to what it was joined with.
    private let joinsTables: Bool
    private var problems: [String] = []
    private var checkedValues = 0

    /// What was found.
    public struct Outcome: Sendable {
        /// What is wrong; none if all is as it should be.
        public var problems: [String]
        /// How many values had tokens to judge by.
        public var checkedValues: Int
    }

    /// Checks one run of a case.
    ///
    /// - Parameters:
    ///   - lineage: the lines for `--lineage`.
    ///   - spans: the lines for `--spans`; nil if nothing was sampled.
    ///   - isPartial: whether only some traces were sampled: where spans are missing the walk must say so.
    ///   - cluster: the cluster that the records are in.
    public static func check(
        _ item: ConformanceCase, lineage: [JSONValue], spans: [JSONValue]?, isPartial: Bool = false,
        cluster: String = LineageTruth.cluster
    ) -> Outcome {
        var truth = LineageTruth(item, cluster)
        let graph = spans.map { SpanGraph($0) }
        if let graph { truth.problems += graph.defects(isPartial: isPartial) }
        for line in lineage { truth.check(line, graph, isPartial) }
        return Outcome(problems: truth.problems, checkedValues: truth.checkedValues)
    }

    /// What differs between the cells of two runs of one case.
    public static func differences(_ first: [JSONValue], _ second: [JSONValue]) -> [String] {
        guard first.count == second.count else { return ["\(first.count) lineage lines, then \(second.count)"] }
        return zip(first, second).compactMap { first, second in
            let one = first.withoutContext
            let other = second.withoutContext
            return one == other ? nil : "\(one) became \(other)"
        }
    }

    private init(_ item: ConformanceCase, _ cluster: String) {
        self.cluster = cluster
        var offsets: [String: Int64] = [:]
        var times: [SourceToken: Int64] = [:]
        for case .pipe(let record) in item.steps {
            let offset = offsets[record.topic, default: 0]
            offsets[record.topic] = offset + 1
            times[SourceToken(topic: record.topic, offset: offset)] = record.timestamp
        }
        self.times = times
        let reuses = ["all", "reuse.ktable.source.topics"].contains(item.config.optimization)
        hasTokens = item.hasTokens
        joinsTables = item.joinsTables
        hasSourceRows = item.topology.contains { $0.operation == .globalTable || reuses && $0.operation == .table }
    }

    private mutating func check(_ line: JSONValue, _ graph: SpanGraph?, _ isPartial: Bool) {
        guard let fields = line.object else { return problems.append("no object: \(line)") }
        let isStored = fields["kind"]?.string == "stored"
        let place =
            isStored
            ? "store \(fields["store"] ?? .null), key \(fields["key"] ?? .null)"
            : "step \(fields["step"] ?? .null), topic \(fields["topic"] ?? .null), index \(fields["index"] ?? .null)"
        func report(_ message: String) { problems.append("\(place): \(message), value \(fields["value"] ?? .null)") }
        guard let cell = fields["cell"]?.object else { return report("no cell") }
        let traceparent = fields["traceparent"]?.string
        let span = traceparent.flatMap { SpanGraph.SpanID(traceparent: $0) }
        if span == nil, !isStored || !hasSourceRows { return report("no context") }
        var found: SpanGraph.Found?
        if let graph, let span, let traceparent {
            found = graph.why(span, mayBeRecord: isStored && hasSourceRows)
            // In a partial run only what says that it is sampled must be there.
            if found == nil && (!isPartial || traceparent.hasSuffix("1") || traceparent.hasSuffix("3")) {
                report("the span \(span) is not there")
            }
        }
        guard hasTokens else {
            // A tombstone is of its event alone, though it was looked whether there is something to join it with.
            guard let value = fields["value"], value != .null else { return }
            checkedValues += 1
            if let found { for message in spanProblems(cell, found, isPartial) { report(message) } }
            return
        }
        guard let text = fields["value"]?.string else { return }
        checkedValues += 1
        let tokens = SourceToken.all(in: text)
        // A null that an aggregate took in is written ~: it has a cell, but no token.
        let hasNulls = text.contains("~")
        for message in cellProblems(cell, tokens, hasNulls: hasNulls) { report(message) }
        // What a processor read without saying whether it used it may have contributed.
        let isBound = cell["flags"]?.array?.contains(.string("bound")) ?? false
        if let found {
            // What took something out may have no span, and then the walk says that it is incomplete.
            let mayBeTakenOut =
                isPartial && found.isIncomplete && cell["flags"]?.array?.contains(.string("loose")) ?? false
            for message in Self.walkProblems(
                found, Set(tokens), isPartial, isBound: isBound || hasNulls, mayHaveMore: mayBeTakenOut)
            {
                report(message)
            }
        }
    }

    // MARK: Cells

    private func cellProblems(_ cell: JSONObject, _ tokens: [SourceToken], hasNulls: Bool) -> [String] {
        let flags = Set((cell["flags"]?.array ?? []).compactMap(\.string))
        guard !flags.contains("gap"), !flags.contains("bound") else { return [] }
        if hasNulls, let count = cell["n"]?.integer, count > tokens.count { return [] }
        var messages: [String] = []
        if cell["n"]?.integer != Int64(tokens.count) {
            messages.append("n is \(cell["n"] ?? .null), but there are \(tokens.count) tokens")
        }
        let digest = digestText(tokens.reduce(0) { $0 &+ $1.digest(cluster: cluster) })
        if cell["digest"]?.string != digest { messages.append("the digest is not that of the tokens, \(digest)") }
        messages += sourceProblems(cell, tokens, isLoose: flags.contains("loose"))
        let known = tokens.compactMap { times[$0] }
        if known.count != tokens.count { messages.append("tokens of records that were never piped") }
        if let low = known.min(), let high = known.max() {
            let earliest = cell["earliest"]?.integer ?? Int64.max
            let latest = cell["latest"]?.integer ?? Int64.min
            let isExact = earliest == low && latest == high
            if flags.contains("loose") ? earliest > low || latest < high : !isExact {
                messages.append("the times are \(earliest)...\(latest), those of the tokens \(low)...\(high)")
            }
        }
        return messages
    }

    private func sourceProblems(_ cell: JSONObject, _ tokens: [SourceToken], isLoose: Bool) -> [String] {
        var messages: [String] = []
        var left = Dictionary(grouping: tokens, by: \.topic)
        for source in (cell["sources"]?.array ?? []).compactMap(\.object) {
            guard let topic = source["topic"]?.string else {
                messages.append("a source without topic")
                continue
            }
            let own = left.removeValue(forKey: topic) ?? []
            let count = source["count"]?.integer ?? -1
            if count != Int64(own.count) { messages.append("\(count) of \(topic), but \(own.count) tokens") }
            // A source whose partitions were collapsed has no range.
            guard let low = own.map(\.offset).min(), let high = own.map(\.offset).max(),
                source["partition"] == .integer(0)
            else { continue }
            let first = source["first"]?.integer ?? Int64.max
            let last = source["last"]?.integer ?? Int64.min
            if isLoose ? first > low || last < high : first != low || last != high {
                messages.append("the range of \(topic) is \(first)...\(last), that of the tokens \(low)...\(high)")
            }
        }
        for topic in left.keys.sorted() { messages.append("no source \(topic) in the cell") }
        return messages
    }

    // MARK: Spans

    /// What differs between a cell and the records that the spans lead to: the cell has all of them.
    ///
    /// It may have more, where something made a text of a deletion: that is of all that was deleted, which is history to spans.
    private func spanProblems(_ cell: JSONObject, _ found: SpanGraph.Found, _ isPartial: Bool) -> [String] {
        let flags = Set((cell["flags"]?.array ?? []).compactMap(\.string))
        guard !flags.contains("gap") else { return [] }
        let sources = (cell["sources"]?.array ?? []).compactMap { CellSource($0) }
        var messages: [String] = []
        let earliest = cell["earliest"]?.integer ?? Int64.max
        let latest = cell["latest"]?.integer ?? Int64.min
        for token in found.sources.subtracting(found.retracted).sorted() where !joinsTables {
            if !sources.contains(where: { $0.contains(token) }) {
                messages.append("why leads to \(token), the cell doesn't")
            }
            if let time = times[token], time < earliest || time > latest {
                messages.append("\(token) is of \(time), the cell of \(earliest)...\(latest)")
            }
        }
        guard !isPartial, !found.isTruncated else { return messages }
        if found.isIncomplete { messages.append("the walk says that something is missing, but all was sampled") }
        return messages
    }

    private static func walkProblems(
        _ found: SpanGraph.Found, _ tokens: Set<SourceToken>, _ isPartial: Bool, isBound: Bool, mayHaveMore: Bool
    ) -> [String] {
        var messages: [String] = []
        let missing = tokens.subtracting(isBound ? found.withBound : found.sources)
        let isIncomplete = isBound ? found.isIncompleteWithBound : found.isIncomplete
        let isSaid = isPartial ? isIncomplete : found.isTruncated
        if !isPartial && found.isIncomplete && !found.isTruncated {
            messages.append("the walk says that something is missing, but all was sampled")
        }
        if !missing.isEmpty && !isSaid { messages.append("why does not lead to \(missing.sorted())") }
        let extra = found.sources.subtracting(tokens).subtracting(found.retracted)
        if !extra.isEmpty && !isBound && !mayHaveMore { messages.append("why leads to \(extra.sorted()), too") }
        return messages
    }
}

extension JSONValue {
    /// A lineage line without what differs from run to run.
    fileprivate var withoutContext: JSONValue {
        guard let object else { return self }
        return .object(JSONObject(object.fields.filter { $0.name != "traceparent" }))
    }
}

/// A source of a cell, as a lineage line says it.
private struct CellSource {
    private let topic: String
    /// Nil where partitions were collapsed.
    private let range: ClosedRange<Int64>?

    init?(_ value: JSONValue) {
        guard let source = value.object, let topic = source["topic"]?.string else { return nil }
        self.topic = topic
        if source["partition"] == .integer(0), let first = source["first"]?.integer, let last = source["last"]?.integer,
            first <= last
        {
            range = first...last
        } else {
            range = nil
        }
    }

    func contains(_ token: SourceToken) -> Bool { token.topic == topic && range?.contains(token.offset) ?? true }
}

extension ConformanceCase {
    /// Whether all values that are piped name their own records, as those of lineage cases do.
    var hasTokens: Bool {
        var offsets: [String: Int64] = [:]
        for case .pipe(let record) in steps {
            let offset = offsets[record.topic, default: 0]
            offsets[record.topic] = offset + 1
            guard let value = record.value else { continue }
            if SourceToken.all(in: value) != [SourceToken(topic: record.topic, offset: offset)] { return false }
        }
        return true
    }
}

extension ConformanceCase {
    /// Whether tables are joined with tables.
    fileprivate var joinsTables: Bool {
        var tables: Set<String> = []
        for statement in topology {
            let isOfTable = (try? statement.input).map { tables.contains($0) } ?? false
            let isTable: Bool
            switch statement.operation {
            case .fkJoin: return true
            case .join where isOfTable: return true
            case .table, .toTable, .count, .reduce, .aggregate, .suppress, .transformValues: isTable = true
            case .filter, .filterNot, .mapValues: isTable = isOfTable
            default: isTable = false
            }
            if isTable, let id = try? statement.id { tables.insert(id) }
        }
        return false
    }
}
