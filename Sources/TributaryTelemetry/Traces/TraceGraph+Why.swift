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
        /// Whether the span is there; steps that lead nowhere are kept.
        public var isMissing: Bool
    }

    /// The source records that were reached, sorted, each once.
    public var sources: [RecordCoordinate] = []
    /// Those of them that were only reached through a link of type `bound`.
    public var boundSources: [RecordCoordinate] = []
    /// The spans that were visited, each once, in the order of the walk.
    public var steps: [Step] = []
    /// Whether links were left out of some span, so that sources may be missing.
    public var isTruncated = false

    /// Whether every span that was asked for was there, with all of its links.
    public var isComplete: Bool { !isTruncated && !steps.contains { $0.isMissing } }
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
    /// and at a link that names its source record and leads to no span that is there.
    ///
    /// - Parameters:
    ///   - start: where the walk begins.
    ///   - isInternal: whether records of a topic are no sources.
    public func why(
        _ start: SpanID, isInternal: (String) -> Bool = TraceGraph.isInternalTopic
    ) -> WhyAnswer {
        var answer = WhyAnswer()
        // A span is walked again if it was only reached through `bound` before.
        var seen: [SpanID: Int] = [:]
        var exact: Set<RecordCoordinate> = []
        var bound: Set<RecordCoordinate> = []
        var open = [WhyAnswer.Step(span: start, link: nil, depth: 0, isBound: false, isMissing: false)]
        func reach(_ coordinate: RecordCoordinate, _ isBound: Bool) {
            if isBound { bound.insert(coordinate) } else { exact.insert(coordinate) }
        }
        while var step = open.popLast() {
            let span = self[step.span]
            if let known = seen[step.span] {
                guard answer.steps[known].isBound && !step.isBound else { continue }
                answer.steps[known].isBound = false
            } else {
                step.isMissing = span == nil
                seen[step.span] = answer.steps.count
                answer.steps.append(step)
            }
            guard let span else { continue }
            if span.kind == SpanKind.consumer.rawValue, let coordinate = span.coordinate, !isInternal(coordinate.topic)
            {
                reach(coordinate, step.isBound)
                continue
            }
            if span.droppedLinks > 0 || span.attributes[AttributeNames.truncated] == .bool(true) {
                answer.isTruncated = true
            }
            var next: [WhyAnswer.Step] = []
            if span.parent != 0 && !span.parentIsTrigger {
                next.append(
                    WhyAnswer.Step(
                        span: step.span.sibling(span.parent), link: nil, depth: step.depth + 1, isBound: step.isBound,
                        isMissing: false))
            }
            for link in span.links {
                guard let type = link.type, type.contributes else { continue }
                let isBound = step.isBound || type == .bound
                let id = SpanID(link.context)
                if let coordinate = link.coordinate, self[id] == nil {
                    reach(coordinate, isBound)
                    continue
                }
                next.append(
                    WhyAnswer.Step(span: id, link: type, depth: step.depth + 1, isBound: isBound, isMissing: false))
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

    private static func contains(_ text: String, _ part: String) -> Bool {
        let text = Array(text.utf8)
        let part = Array(part.utf8)
        guard text.count >= part.count else { return false }
        return (0...(text.count - part.count)).contains { text[$0..<($0 + part.count)].elementsEqual(part) }
    }
}
