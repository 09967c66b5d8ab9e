/// The spans of a case as an exporter wrote them, and the ways between them.
struct SpanGraph {
    /// One span.
    struct Node {
        var id: SpanID
        var parent: SpanID?
        var hasRemoteParent: Bool
        var parentIsTrigger: Bool
        var name: String
        var source: SourceToken?
        var links: [Link]
        /// Whether links were left out.
        var isTruncated: Bool
        /// Whether the parent has a span, as far as this one knows.
        var parentIsSampled: Bool
        /// The store that it is about.
        var store: String?
        /// Whether it wrote a row there.
        var isWrite: Bool
        /// Whether it sent or read what a suppression holds, which may come of rows that nobody keeps.
        var isOfBuffer: Bool
    }

    /// One link; the coordinate is the source record's, where the linked row's store is backed by its source topic.
    struct Link {
        var target: SpanID
        var type: String
        var source: SourceToken?
        var isSampled: Bool
    }

    /// Trace and span id, hexadecimal.
    struct SpanID: Hashable, CustomStringConvertible {
        var trace: String
        var span: String
        var description: String { "\(trace)/\(span)" }

        /// The ids in a `traceparent`; nil if it is none.
        init?(traceparent: String) {
            let parts = traceparent.split(separator: "-")
            guard parts.count == 4, parts[1].count == 32, parts[2].count == 16 else { return nil }
            trace = String(parts[1])
            span = String(parts[2])
        }

        init(trace: String, span: String) {
            self.trace = trace
            self.span = span
        }
    }

    private(set) var nodes: [SpanID: Node] = [:]
    private(set) var problems: [String] = []
    private static let consumer: Int64 = 5
    /// What `why` follows.
    private static let contributing: Set<String> = ["previous", "joined", "merged", "copied"]

    /// Reads OTLP JSON lines.
    init(_ lines: [JSONValue]) {
        for line in lines {
            for resource in line["resourceSpans"] {
                for scope in resource["scopeSpans"] { for span in scope["spans"] { add(span) } }
            }
        }
    }

    private mutating func add(_ span: JSONValue) {
        guard let trace = span.text("traceId"), let id = span.text("spanId") else {
            return problems.append("a span without ids: \(span)")
        }
        let attributes = Self.attributes(span)
        let flags = span.object?["flags"]?.integer ?? 0
        let isConsumer = span.object?["kind"]?.integer == Self.consumer
        let node = Node(
            id: SpanID(trace: trace, span: id),
            parent: span.text("parentSpanId").flatMap { $0.isEmpty ? nil : SpanID(trace: trace, span: $0) },
            hasRemoteParent: flags & 0x300 == 0x300, parentIsTrigger: attributes["tributary.parent"] == "trigger",
            name: span.text("name") ?? "", source: isConsumer ? Self.source(attributes) : nil,
            links: span["links"].compactMap { link in
                guard let trace = link.text("traceId"), let span = link.text("spanId") else { return nil }
                let attributes = Self.attributes(link)
                return Link(
                    target: SpanID(trace: trace, span: span), type: attributes["tributary.link"] ?? "",
                    source: Self.source(attributes), isSampled: attributes["tributary.link.sampled"] != "false")
            },
            isTruncated: span.object?["droppedLinksCount"]?.integer ?? 0 > 0
                || attributes["tributary.lineage.truncated"] == "true",
            parentIsSampled: attributes["tributary.parent.sampled"] != "false", store: attributes["db.collection.name"],
            isWrite: ["put", "flush", "delete", "emit"].contains(attributes["db.operation.name"] ?? ""),
            isOfBuffer: span.text("name")?.hasPrefix("emit ") == true
                || attributes["tributary.store.type"] == "suppression")
        if nodes.updateValue(node, forKey: node.id) != nil { problems.append("two spans are \(node.id)") }
    }

    private static func attributes(_ object: JSONValue) -> [String: String] {
        var attributes: [String: String] = [:]
        for attribute in object["attributes"] {
            guard let key = attribute.text("key"), let value = attribute.object?["value"]?.object else { continue }
            attributes[key] = value.fields.first.map { field in
                if case .bool(let flag) = field.value { return flag ? "true" : "false" }
                return field.value.string ?? "\(field.value)"
            }
        }
        return attributes
    }

    /// The record that attributes name, if it is one of a topic that isn't the application's own.
    private static func source(_ attributes: [String: String]) -> SourceToken? {
        guard let topic = attributes["messaging.destination.name"], !topic.hasPrefix("app-"),
            let offset = attributes["messaging.kafka.offset"].flatMap({ Int64($0) }),
            attributes["messaging.destination.partition.id"] == "0"
        else { return nil }
        return SourceToken(topic: topic, offset: offset)
    }
}

// MARK: Ways

extension SpanGraph {
    /// What a walk found.
    struct Found {
        var sources: Set<SourceToken> = []
        /// Sources that only retracted rows lead to, too.
        var retracted: Set<SourceToken> = []
        /// The same as `sources`, and those that only rows lead to which a processor read without saying whether it used them.
        var withBound: Set<SourceToken> = []
        /// Whether links were left out, so that sources may be missing.
        var isTruncated = false
        /// Whether that, or spans were not there.
        var isIncomplete = false
        /// The same of the walk that follows what was only read, too.
        var isIncompleteWithBound = false
    }

    /// Why a value is what it is: the source records that a span leads to; `mayBeRecord` if it may be a row that is a record of its source.
    func why(_ start: SpanID, mayBeRecord: Bool = false) -> Found? {
        guard let first = nodes[start] else { return nil }
        var found = Found()
        var history: Set<SpanID> = []
        var retracted: Set<SourceToken> = []
        // The context of what was sent or stored: the send or the write itself.
        let isRecord = mayBeRecord && first.source != nil
        if !first.isWrite, !first.name.hasPrefix("send "), !isRecord { found.isIncomplete = true }
        walk([start], &found) { link in
            guard link.type == "retracted" else { return }
            if let source = link.source { retracted.insert(source) } else { history.insert(link.target) }
        }
        found.retracted = retracted
        var all = Found()
        walk([start], &all, withBound: true) { _ in }
        found.withBound = all.sources
        found.isIncompleteWithBound = all.isIncomplete
        if !history.isEmpty {
            var older = Found()
            walk(Array(history), &older) { _ in }
            found.retracted.formUnion(older.sources)
        }
        return found
    }

    private func walk(
        _ starts: [SpanID], _ found: inout Found, withBound: Bool = false, _ other: (Link) -> Void
    ) {
        var waiting = starts
        var seen = Set(starts)
        func visit(_ id: SpanID) { if seen.insert(id).inserted { waiting.append(id) } }
        while let id = waiting.popLast() {
            guard let node = nodes[id] else {
                found.isIncomplete = true
                continue
            }
            if let source = node.source {
                found.sources.insert(source)
                continue
            }
            if node.isTruncated {
                found.isTruncated = true
                found.isIncomplete = true
            }
            if let parent = node.parent, !node.parentIsTrigger {
                if !node.parentIsSampled || !hasRowAsParent(node) { found.isIncomplete = true }
                visit(parent)
            }
            for link in node.links {
                if Self.contributing.contains(link.type) || withBound && link.type == "bound" {
                    if let source = link.source {
                        // The row is that record, and no write of its own, or a cache's that leads there.
                        found.sources.insert(source)
                        guard let target = nodes[link.target], target.source != source else { continue }
                        if target.isWrite { visit(link.target) } else { found.isIncomplete = true }
                        continue
                    }
                    if !leadsToRow(link, of: node) { found.isIncomplete = true }
                    visit(link.target)
                } else {
                    other(link)
                }
            }
        }
    }

    /// Whether the parent, if it is a row, is that row's write.
    private func hasRowAsParent(_ node: Node) -> Bool {
        if node.isOfBuffer { return true }
        guard node.name.hasPrefix("flush ") || node.links.contains(where: { $0.type == "trigger" }) else { return true }
        return node.parent.flatMap { nodes[$0]?.isWrite } ?? false
    }

    /// Whether a link leads to the write of a row, of the same store where the type says so.
    private func leadsToRow(_ link: Link, of node: Node) -> Bool {
        guard link.isSampled, let target = nodes[link.target] else { return false }
        if node.isOfBuffer { return true }
        return target.isWrite
            && (link.type == "joined" || node.store == nil || node.store == target.store)
    }

    /// What is wrong with the graph itself: ends that are missing, traces of several roots, cycles.
    ///
    /// - Parameter isPartial: whether only some traces are sampled, so that ends may be missing.
    func defects(isPartial: Bool = false) -> [String] {
        var defects = problems
        if isPartial { return defects + (cycle().map { ["a cycle through span \($0)"] } ?? []) }
        var roots: [String: [Node]] = [:]
        for node in nodes.values {
            if let parent = node.parent {
                if nodes[parent] == nil && !node.hasRemoteParent {
                    defects.append("the parent of span \(node.name) \(node.id) is not there")
                }
            } else {
                roots[node.id.trace, default: []].append(node)
            }
            for link in node.links where nodes[link.target] == nil && link.source == nil {
                defects.append("a link '\(link.type)' of span \(node.name) \(node.id) leads to no span")
            }
        }
        for (trace, list) in roots where list.count > 1 {
            defects.append("trace \(trace) has \(list.count) roots: \(list.map(\.name).sorted())")
        }
        if let cycle = cycle() { defects.append("a cycle through span \(cycle)") }
        return defects.sorted()
    }

    /// A span that leads to itself; nil if there is none.
    private func cycle() -> SpanID? {
        var done: Set<SpanID> = []
        var open: Set<SpanID> = []
        for start in nodes.keys where !done.contains(start) {
            // A stack of its own: chains of a case may be longer than the thread's stack allows.
            var stack = [(id: start, next: 0)]
            open.insert(start)
            while let top = stack.last {
                let targets = self.targets(top.id)
                guard top.next < targets.count else {
                    stack.removeLast()
                    open.remove(top.id)
                    done.insert(top.id)
                    continue
                }
                stack[stack.count - 1].next += 1
                let target = targets[top.next]
                if open.contains(target) { return target }
                if !done.contains(target), nodes[target] != nil {
                    open.insert(target)
                    stack.append((target, 0))
                }
            }
        }
        return nil
    }

    private func targets(_ id: SpanID) -> [SpanID] {
        guard let node = nodes[id] else { return [] }
        return (node.parent.map { [$0] } ?? []) + node.links.map(\.target)
    }
}

extension JSONValue {
    /// The list in a field; empty if there is none.
    fileprivate subscript(_ name: String) -> [JSONValue] { object?[name]?.array ?? [] }

    /// The text in a field.
    fileprivate func text(_ name: String) -> String? { object?[name]?.string }
}
