public import TributaryCore

/// A span of the user's own while its body runs: takes attributes, events, links and errors.
///
/// In a trace that isn't sampled, and outside of a closure, it takes nothing. Values of records are only in a span if they are
/// put into it here, by name.
public struct BusinessSpan {
    final class Content {
        var detail: SpanDetail
        let time: TimeSource

        init(_ detail: SpanDetail, time: TimeSource) {
            self.detail = detail
            self.time = time
        }
    }

    /// OpenTelemetry's default limits.
    static let limit = 128
    let content: Content?

    /// Whether what is put in is kept.
    ///
    /// Ask before making something expensive.
    public var isRecording: Bool { content != nil }

    /// An attribute; nil removes it.
    ///
    /// At most 128 are kept.
    public subscript(name: String) -> AttributeValue? {
        get { content?.detail.attributes[name] }
        nonmutating set {
            guard let content else { return }
            if newValue != nil, content.detail.attributes[name] == nil,
                content.detail.attributes.count >= BusinessSpan.limit
            {
                content.detail.droppedAttributes += 1
            } else {
                content.detail.attributes[name] = newValue
            }
        }
    }

    /// Adds something that happened now; at most 128 events are kept.
    public func addEvent(_ name: String, _ attributes: [String: AttributeValue] = [:]) {
        guard let content else { return }
        guard content.detail.events.count < BusinessSpan.limit else {
            content.detail.droppedEvents += 1
            return
        }
        content.detail.events.append(SpanEvent(name, time: content.time.nanoseconds(), attributes: attributes))
    }

    /// Adds a link to a span anywhere, for example one that a request named; at most 128 are kept.
    public func addLink(to context: TraceContext, _ attributes: [String: AttributeValue] = [:]) {
        guard let content, context.isValid else { return }
        guard content.detail.links.count < BusinessSpan.limit else {
            content.detail.droppedLinks += 1
            return
        }
        content.detail.links.append(SpanDetail.Link(context, attributes: attributes))
    }

    /// Adds an error that was dealt with as an event; the span doesn't fail.
    public func addEvent(of error: any Error) {
        addEvent(
            "exception",
            [
                AttributeNames.exceptionType: .string(String(describing: type(of: error))),
                AttributeNames.exceptionMessage: .string(String(describing: error)),
            ])
    }

    /// Marks the span as failed, though its body returns; the error that a body throws does that by itself.
    public func fail(_ error: any Error) {
        guard let content else { return }
        content.detail.errorType = String(describing: type(of: error))
        content.detail.errorMessage = String(describing: error)
    }
}

extension Lineage {
    /// Runs `body` as a span of the record's trace: a child of the operation that called the closure.
    ///
    /// Outside of a closure, or if the trace isn't sampled, the body runs without a span.
    ///
    /// - Throws: what `body` throws; the span then has status error.
    public static func withSpan<Result, Failure: Error>(
        _ name: String, attributes: [String: AttributeValue] = [:], _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try withSpan(name, attributes: attributes) { (_: BusinessSpan) throws(Failure) -> Result in try body() }
    }

    /// Runs `body` as a span of the record's trace, and lets it put more into the span.
    ///
    /// ```swift
    /// .mapValues { payment in
    ///     Lineage.withSpan("check limit", attributes: ["limit.kind": .string("daily")]) { span in
    ///         if payment.cents > limit { span.addEvent("limit reached") }
    ///         return payment
    ///     }
    /// }
    /// ```
    ///
    /// - Throws: what `body` throws; the span then has status error.
    public static func withSpan<Result, Failure: Error>(
        _ name: String, attributes: [String: AttributeValue] = [:], _ body: (BusinessSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        guard let box, let lineage = box.current, box.recorder.makesSpan(lineage.context, .log)
        else { return try body(BusinessSpan(content: nil)) }
        let recorder = box.recorder
        var own = lineage
        own.context.span = recorder.id()
        let start = recorder.time.nanoseconds()
        let content = BusinessSpan.Content(SpanDetail(name: name, attributes: attributes), time: recorder.time)
        let before = recorder.show(own, isElsewhere: false)
        do throws(Failure) {
            let result = try body(BusinessSpan(content: content))
            recorder.show(again: before)
            recorder.finish(content.detail, context: own.context, parent: lineage.context, start: start)
            return result
        } catch {
            recorder.show(again: before)
            BusinessSpan(content: content).fail(error)
            recorder.finish(content.detail, context: own.context, parent: lineage.context, start: start)
            throw error
        }
    }
}
