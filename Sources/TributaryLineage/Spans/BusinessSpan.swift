public import TributaryCore

/// A span of the user's own while its body runs: takes attributes, events, links and errors.
///
/// In a trace that isn't sampled, and outside of a closure, it takes nothing. Values of records are only in a span if they are
/// put into it here, by name.
public struct BusinessSpan {
    final class Content {
        var detail: SpanDetail
        let time: TimeSource
        let limits: SpanLimits

        init(_ name: String, _ attributes: [String: AttributeValue], time: TimeSource, limits: SpanLimits) {
            let (kept, dropped) = limits.kept(attributes, most: limits.attributes)
            detail = SpanDetail(name: name, attributes: kept)
            detail.droppedAttributes = dropped
            self.time = time
            self.limits = limits
        }
    }

    let content: Content?

    /// Whether what is put in is kept.
    ///
    /// Ask before making something expensive.
    public var isRecording: Bool { content != nil }

    /// An attribute; nil removes it.
    ///
    /// At most 128 are kept, or as many as ``SpanLimits`` say.
    public subscript(name: String) -> AttributeValue? {
        get { content?.detail.attributes[name] }
        nonmutating set {
            guard let content else { return }
            if newValue != nil, content.detail.attributes[name] == nil,
                content.detail.attributes.count >= content.limits.attributes
            {
                content.detail.droppedAttributes += 1
            } else {
                content.detail.attributes[name] = newValue.map { content.limits.kept($0) }
            }
        }
    }

    /// Adds something that happened now; at most 128 events are kept, or as many as ``SpanLimits`` say.
    public func addEvent(_ name: String, _ attributes: [String: AttributeValue] = [:]) {
        guard let content else { return }
        guard content.detail.events.count < content.limits.events else {
            content.detail.droppedEvents += 1
            return
        }
        let (kept, dropped) = content.limits.kept(attributes, most: content.limits.eventAttributes)
        var event = SpanEvent(name, time: content.time.wall.nanoseconds(), attributes: kept)
        event.droppedAttributes = dropped
        content.detail.events.append(event)
    }

    /// Adds a link to a span anywhere, for example one that a request named; at most 128 are kept, or as many as ``SpanLimits`` say.
    public func addLink(to context: TraceContext, _ attributes: [String: AttributeValue] = [:]) {
        guard let content, context.isValid else { return }
        guard content.detail.links.count < content.limits.links else {
            content.detail.droppedLinks += 1
            return
        }
        let (kept, dropped) = content.limits.kept(attributes, most: content.limits.linkAttributes)
        var link = SpanDetail.Link(context, attributes: kept)
        link.droppedAttributes = dropped
        content.detail.links.append(link)
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
        let start = recorder.time.wall.nanoseconds()
        let content = BusinessSpan.Content(name, attributes, time: recorder.time, limits: recorder.limits)
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
