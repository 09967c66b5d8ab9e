public import TributaryCore
public import TributaryLineage

/// What a span's value came from, by the spans that are still there.
public struct WhyAnswer: Sendable, Equatable {
    /// One step of the walk.
    public struct Step: Sendable, Equatable {
        /// The span.
        public var span: SpanID
        /// Why it was reached: nil for a parent, and for the span that was asked about.
        public var link: LinkType?
        /// How many steps it is away from the span that was asked about.
        public var depth: Int
        /// Some step on the way here was a link of type `bound`: it may have contributed.
        public var isBound: Bool
        /// What is missing here, so that the walk may not have reached all sources; nil if nothing is.
        public var gap: Gap?
        /// Whether something is missing here; steps that lead nowhere are kept.
        public var isMissing: Bool { gap != nil }
    }

    /// Why a step doesn't lead to all that the value came from.
    public enum Gap: String, Sendable {
        /// The span isn't there: lost, left out when the exporter had no room, or kept elsewhere.
        case notThere
        /// The span was not exported, since its trace wasn't sampled.
        case notSampled
        /// The span that is there is another than the row's write, which made none.
        case noWrite
        /// Links were left out of the span.
        case truncated
    }

    /// The source records that were reached, sorted, each once.
    public var sources: [RecordCoordinate] = []
    /// Those of them that were only reached through a link of type `bound`.
    public var boundSources: [RecordCoordinate] = []
    /// The spans that were visited, each once, in the order of the walk.
    public var steps: [Step] = []
    /// Whether links were left out of some span, so that sources may be missing.
    public var isTruncated: Bool { steps.contains { $0.gap == .truncated } }

    /// Whether every span that was asked for was there, with all of its links.
    public var isComplete: Bool { !steps.contains { $0.isMissing } }

    /// How many steps lack something, by what it is.
    public func count(of gap: Gap) -> Int { steps.count { $0.gap == gap } }
}

extension TraceGraph {
    /// The names of topics that Kafka Streams makes for itself: records in them are no sources.
    public static func isInternalTopic(_ topic: String) -> Bool {
        topic.hasSuffix("-repartition") || topic.hasSuffix("-changelog")
            || ["-subscription-registration-", "-subscription-response-"].contains { marker in
                topic.utf8.count >= marker.utf8.count && topic.hasSuffix("-topic") && contains(topic, marker)
            }
    }

    /// Follows parents and contributing links from a span back to source records.
    ///
    /// Followed are the parent, unless `tributary.parent` is `trigger`, and links of the types `previous`, `joined`,
    /// `merged`, `copied` and, marked, `bound`. The walk ends at a span that processes a record of a topic that isn't internal,
    /// and at a link that names its source record, unless it leads to that record's span or to a write of a row.
    ///
    /// A context goes through operations that have no span, so that the span it names may be one before: a contributing link must
    /// lead to the write of a row, and, where the type says so, of the same store. If not, something is missing.
    ///
    /// - Parameters:
    ///   - start: where the walk begins.
    ///   - isRow: whether that is the context of a stored row, whose write must have a span then.
    ///   - isInternal: whether records of a topic are no sources.
    public func why(
        _ start: SpanID, isRow: Bool = false, isInternal: (String) -> Bool = TraceGraph.isInternalTopic
    ) -> WhyAnswer {
        var answer = WhyAnswer()
        // A span is walked again if it was only reached through `bound` before.
        var seen: [SpanID: Int] = [:]
        var exact: Set<RecordCoordinate> = []
        var bound: Set<RecordCoordinate> = []
        var open = [WhyAnswer.Step(span: start, link: nil, depth: 0, isBound: false)]
        if isRow, let span = self[start], span.writtenStore == nil { open[0].gap = .noWrite }
        func reach(_ coordinate: RecordCoordinate, _ isBound: Bool) {
            if isBound { bound.insert(coordinate) } else { exact.insert(coordinate) }
        }
        while var step = open.popLast() {
            let span = self[step.span]
            if let known = seen[step.span] {
                // What one way to a span says is missing, isn't there on another either.
                if answer.steps[known].gap == nil { answer.steps[known].gap = step.gap }
                guard answer.steps[known].isBound && !step.isBound else { continue }
                answer.steps[known].isBound = false
            } else {
                if span == nil && step.gap == nil { step.gap = .notThere }
                seen[step.span] = answer.steps.count
                answer.steps.append(step)
            }
            guard let span else { continue }
            if span.kind == SpanKind.consumer.rawValue, let coordinate = span.coordinate, !isInternal(coordinate.topic)
            {
                reach(coordinate, step.isBound)
                continue
            }
            if span.lacksContributions, let place = seen[step.span], answer.steps[place].gap == nil {
                answer.steps[place].gap = .truncated
            }
            var next: [WhyAnswer.Step] = []
            if span.parent != 0 && !span.parentIsTrigger {
                next.append(
                    WhyAnswer.Step(
                        span: step.span.sibling(span.parent), link: nil, depth: step.depth + 1, isBound: step.isBound,
                        gap: gap(ofParent: span)))
            }
            for link in span.links {
                guard let type = link.type, type.contributes else { continue }
                let isBound = step.isBound || type == .bound
                let id = SpanID(link.context)
                if let coordinate = link.coordinate, leadsNowhere(link, coordinate) {
                    reach(coordinate, isBound)
                    continue
                }
                next.append(
                    WhyAnswer.Step(
                        span: id, link: type, depth: step.depth + 1, isBound: isBound, gap: gap(link, type, of: span)))
            }
            open.append(contentsOf: next.reversed())
        }
        let order: (RecordCoordinate, RecordCoordinate) -> Bool = {
            ($0.topic, $0.partition, $0.offset) < ($1.topic, $1.partition, $1.offset)
        }
        answer.sources = exact.union(bound).sorted(by: order)
        answer.boundSources = bound.subtracting(exact).sorted(by: order)
        return answer
    }

    /// Whether a link that names its source record leads to no span of that record, and of no row that it became.
    private func leadsNowhere(_ link: FinishedSpan.Link, _ coordinate: RecordCoordinate) -> Bool {
        guard link.isSampled, let target = self[SpanID(link.context)] else { return true }
        return target.coordinate != coordinate && target.writtenStore == nil
    }

    /// What is missing where a parent is: one that is a row must be its write.
    private func gap(ofParent span: FinishedSpan) -> WhyAnswer.Gap? {
        if span.attributes[AttributeNames.parentSampled] == .bool(false) { return .notSampled }
        let isFlush = span.store != nil && span.storeOperation == "flush"
        guard let parent = self[SpanID(span.context).sibling(span.parent)],
            isFlush || span.links.contains(where: { $0.type == .trigger })
        else { return nil }
        guard let written = parent.writtenStore, !isFlush || written == span.store else { return .noWrite }
        return nil
    }

    /// What is missing where a contributing link leads.
    private func gap(_ link: FinishedSpan.Link, _ type: LinkType, of span: FinishedSpan) -> WhyAnswer.Gap? {
        if !link.isSampled { return .notSampled }
        guard let target = self[SpanID(link.context)] else { return nil }
        if let coordinate = link.coordinate, target.coordinate == coordinate { return nil }
        guard let written = target.writtenStore else { return .noWrite }
        let isOfOwnStore = type == .previous || type == .merged || type == .copied
        if isOfOwnStore, let own = span.store, own != written { return .noWrite }
        return nil
    }

    private static func contains(_ text: String, _ part: String) -> Bool {
        let text = Array(text.utf8)
        let part = Array(part.utf8)
        guard text.count >= part.count else { return false }
        return (0...(text.count - part.count)).contains { text[$0..<($0 + part.count)].elementsEqual(part) }
    }
}

extension FinishedSpan {
    /// The store that the span is about, if it is about one.
    var store: String? {
        guard case .string(let name)? = attributes[AttributeNames.dbCollectionName] else { return nil }
        return name
    }

    /// The store that the span wrote a row of, if it did.
    var writtenStore: String? {
        ["put", "flush", "delete"].contains(storeOperation) ? store : nil
    }

    /// The operation on the store: the attribute, or, where a backend has lost it, the first word of the name.
    var storeOperation: String {
        if case .string(let operation)? = attributes[AttributeNames.dbOperationName] { return operation }
        return String(name.prefix { $0 != " " })
    }

    /// Whether links to contributions may be missing; links to what was there before may be, without harm.
    var lacksContributions: Bool {
        guard droppedLinks > 0 || attributes[AttributeNames.truncated] == .bool(true) else { return false }
        return links.isEmpty || links.contains { $0.type?.contributes ?? false }
    }
}
