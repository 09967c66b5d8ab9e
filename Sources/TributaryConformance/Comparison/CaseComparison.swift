/// Compares what a runner saw with what a case expects.
public struct CaseComparison {
    private var differences: [String] = []

    /// The differences as lines `path: expected ..., got ...`; none if the case passes.
    public static func differences(expected: CaseResult, actual: ActualResult) -> [String] {
        var comparison = CaseComparison()
        comparison.compare(expected, actual)
        return comparison.differences
    }

    private mutating func add(_ path: String, _ expected: String, _ actual: String) {
        differences.append("\(path): expected \(expected), got \(actual)")
    }

    private mutating func compare(_ expected: CaseResult, _ actual: CaseResult) {
        if expected.failure != actual.failure {
            let reason = actual.failureMessage.map { " (\($0))" } ?? ""
            add("error", Self.text(expected.failure), Self.text(actual.failure) + reason)
        }
        // Nothing else exists if there was no task; a case that should have failed is said to have once.
        switch expected.failure {
        case .build, .start: return
        case .step, nil: break
        }
        switch actual.failure {
        case .build, .start: return
        case .step, nil: break
        }
        if let lines = expected.describe { compare(describe: lines, actual.describe) }
        if let steps = expected.steps { compare(steps: steps, actual.steps) }
        guard actual.failure == nil else { return }
        if let stores = expected.stores {
            compare("stores", stores, actual.stores) { $0.compare(store: $1, $2, at: $3) }
        }
        if let changelogs = expected.changelogs { compare("changelogs", raw: changelogs, actual.changelogs) }
        if let repartitions = expected.repartitions { compare("repartitions", raw: repartitions, actual.repartitions) }
        if let topics = expected.internalTopics {
            compare("internalTopics", topics, actual.internalTopics) { comparison, expected, actual, path in
                if expected != actual { comparison.add(path, "\(expected.json)", "\(actual.json)") }
            }
        }
        if let groups = expected.copartition {
            // Kafka Streams leaves groups that share a topic apart, though all of them must have equally many partitions.
            let mine = Self.sorted(Self.joined(groups))
            let its = actual.copartition.map { Self.sorted($0) }
            if mine != its { add("copartition", "\(mine)", its.map { "\($0)" } ?? "nothing") }
        }
        if let count = expected.droppedRecords, count != actual.droppedRecords {
            add("droppedRecords", "\(count)", actual.droppedRecords.map { "\($0)" } ?? "nothing")
        }
    }

    // MARK: The parts

    private mutating func compare(describe expected: [String], _ actual: [String]?) {
        guard let actual else { return add("describe", "\(expected.count) lines", "nothing") }
        compare("describe", DescribeText.normalised(expected), DescribeText.normalised(actual)) { "\"\($0)\"" }
    }

    private mutating func compare(
        steps expected: [[String: [CaseResult.Record]]], _ actual: [[String: [CaseResult.Record]]]?
    ) {
        guard let actual else { return add("steps", "\(expected.count) steps", "nothing") }
        if expected.count != actual.count { add("steps", "\(expected.count) steps", "\(actual.count)") }
        for (index, pair) in zip(expected, actual).enumerated() {
            let topics = Set(pair.0.keys).union(pair.1.keys).sorted()
            for topic in topics {
                let mine = (pair.0[topic] ?? []).map { $0.comparable }
                let its = (pair.1[topic] ?? []).map { $0.comparable }
                compare("steps[\(index)].\(topic)", mine, its, equal: { $0.matches($1) }) { "\($0.json)" }
            }
        }
    }

    private mutating func compare(store expected: CaseResult.Store, _ actual: CaseResult.Store, at path: String) {
        switch (expected, actual) {
        case (.opaque, _): break
        case (.rows(let rows), .opaque): add(path, "\(rows.count) rows", "a store that can't be read")
        case (.rows(let mine), .rows(let its)):
            compare(path, Self.sorted(mine), Self.sorted(its)) { "\($0.json)" }
        }
    }

    private mutating func compare(
        _ path: String, raw expected: [String: [CaseResult.RawRecord]], _ actual: [String: [CaseResult.RawRecord]]?
    ) {
        // A topic without records is as good as none.
        compare(path, expected.filter { !$0.value.isEmpty }, actual?.filter { !$0.value.isEmpty }) {
            let mine = $1.map { $0.comparable }
            let its = $2.map { $0.comparable }
            $0.compare($3, mine, its) { "\($0.json)" }
        }
    }

    // MARK: Maps and lists

    private mutating func compare<Element>(
        _ path: String, _ expected: [String: Element], _ actual: [String: Element]?,
        _ body: (inout CaseComparison, Element, Element, String) -> Void
    ) {
        guard let actual else { return add(path, "\(expected.count) entries", "nothing") }
        for name in Set(expected.keys).union(actual.keys).sorted() {
            switch (expected[name], actual[name]) {
            case (let mine?, let its?): body(&self, mine, its, "\(path).\(name)")
            case (nil, _?): add("\(path).\(name)", "nothing", "an entry")
            case (_?, nil): add("\(path).\(name)", "an entry", "nothing")
            case (nil, nil): break
            }
        }
    }

    private mutating func compare<Element: Equatable>(
        _ path: String, _ expected: [Element], _ actual: [Element], equal: (Element, Element) -> Bool = { $0 == $1 },
        _ text: (Element) -> String
    ) {
        for index in 0..<max(expected.count, actual.count) {
            let mine = index < expected.count ? expected[index] : nil
            let its = index < actual.count ? actual[index] : nil
            if let mine, let its, equal(mine, its) { continue }
            add("\(path)[\(index)]", mine.map(text) ?? "nothing", its.map(text) ?? "nothing")
        }
    }

    private static func text(_ failure: CaseResult.Failure?) -> String {
        switch failure {
        case nil: "none"
        case .build: "at build"
        case .start: "at start"
        case .step(let index): "at step \(index)"
        }
    }

    /// Groups that share a topic as one.
    private static func joined(_ groups: [[String]]) -> [[String]] {
        var found: [Set<String>] = []
        for list in groups {
            let group = found.filter { !$0.isDisjoint(with: list) }.reduce(into: Set(list)) { $0.formUnion($1) }
            found.removeAll { $0.isSubset(of: group) }
            found.append(group)
        }
        return found.map { Array($0) }
    }

    private static func sorted(_ groups: [[String]]) -> [[String]] {
        groups.map { $0.sorted() }.sorted { $0.joined(separator: ",") < $1.joined(separator: ",") }
    }

    /// Rows by key, window start and window end; equal ones stay in order.
    private static func sorted(_ rows: [CaseResult.Row]) -> [CaseResult.Row] {
        rows.enumerated().sorted { left, right in
            let order = (left.element.key.order, right.element.key.order)
            return order.0 == order.1 ? left.offset < right.offset : order.0 < order.1
        }.map(\.element)
    }
}

extension CaseKey {
    fileprivate var order: (String, Int64, Int64) {
        switch self {
        case .null: ("", 0, 0)
        case .text(let text): (text, 0, 0)
        case .windowed(let inner, let start, let end): (inner ?? "", start, end)
        }
    }
}

/// Headers that carry lineage; Kafka Streams has none.
private func isLineageHeader(_ header: CaseHeader) -> Bool {
    header.name == "traceparent" || header.name == "tracestate" || header.name.hasPrefix("tributary-")
}

extension CaseResult.Record {
    fileprivate var comparable: CaseResult.Record {
        CaseResult.Record(key, value, timestamp: timestamp, headers: headers.filter { !isLineageHeader($0) })
    }

    /// Whether `actual` is this record; a header value `*` stands for any value.
    fileprivate func matches(_ actual: CaseResult.Record) -> Bool {
        guard key == actual.key, value == actual.value, timestamp == actual.timestamp,
            headers.count == actual.headers.count
        else { return false }
        return zip(headers, actual.headers).allSatisfy { mine, its in
            mine.name == its.name && (mine.value == its.value || mine.isAnyText && its.value != nil)
        }
    }
}

extension CaseHeader {
    /// Whether this header of a dead letter is text of Java's own.
    fileprivate var isAnyText: Bool {
        let names = ["exception", "message", "stacktrace"].map { "__streams.errors." + $0 }
        return value == "*" && names.contains(name)
    }
}

extension CaseResult.RawRecord {
    fileprivate var comparable: CaseResult.RawRecord {
        CaseResult.RawRecord(key, value, timestamp: timestamp, headers: headers.filter { !isLineageHeader($0) })
    }
}
