public import TributaryCore

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// What a stream thread lets user closures see of the record it is processing.
///
/// Bound to the task-local ``Lineage/current`` once per batch; shows the recorder's ``LineageRecorder/current``. A task that a
/// closure starts inherits the binding but not the thread: there everything reads as absent.
public final class LineageBox: @unchecked Sendable {
    // Unchecked: every access below first checks that it happens on the thread that owns the box.
    let recorder: LineageRecorder
    private var owner: UInt = 0
    @usableFromInline let state = Owned(State())

    @usableFromInline
    struct State: BitwiseCopyable {
        @usableFromInline var active = false
        @usableFromInline var hasOwnContext = false
        /// The context of the span that a closure of the user's has made.
        @usableFromInline var context = TraceContext.none

        @usableFromInline init() {}
    }

    /// Makes the box of a recorder's task.
    public init(_ recorder: LineageRecorder) { self.recorder = recorder }

    /// Makes the calling thread the owner.
    public func adopt() { owner = currentThread() }

    /// Lets closures see the recorder's current lineage; called by the owner.
    @inlinable
    @inline(__always)
    public func begin() {
        state.value.active = true
        state.value.hasOwnContext = false
    }

    var current: Lineage? {
        guard owner == currentThread(), state.value.active else { return nil }
        var lineage = recorder.current.value
        if state.value.hasOwnContext { lineage.context = state.value.context }
        return lineage
    }

    func push(_ context: TraceContext) {
        state.value.context = context
        state.value.hasOwnContext = true
    }
}

private func currentThread() -> UInt {
    #if canImport(Glibc)
        return UInt(pthread_self())
    #else
        return unsafe UInt(bitPattern: pthread_self())
    #endif
}

extension Lineage {
    @TaskLocal private static var box: LineageBox?

    /// Runs `body` with a thread's box bound, so that closures see ``current``.
    public static func bound<Result>(to box: LineageBox, _ body: () throws -> Result) rethrows -> Result {
        box.adopt()
        return try $box.withValue(box) { try body() }
    }

    /// The lineage of the record whose closure is running; nil outside of one, or on another thread.
    public static var current: Lineage? { box?.current }

    /// Runs `body` as a span of the record's trace: a child of the operation that called the closure.
    ///
    /// Outside of a closure, or if the trace isn't sampled, the body runs without a span.
    ///
    /// - Throws: what `body` throws; the span then has status error.
    public static func withSpan<Result, Failure: Error>(
        _ name: String, attributes: [String: AttributeValue] = [:], _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        guard let box, let parent = box.current?.context, box.recorder.makesSpan(parent, .log)
        else { return try body() }
        let recorder = box.recorder
        var context = parent
        context.span = recorder.id()
        let start = recorder.time.nanoseconds()
        box.push(context)
        do throws(Failure) {
            let result = try body()
            box.push(parent)
            recorder.finish(name, context: context, parent: parent, start: start, attributes: attributes, error: nil)
            return result
        } catch {
            box.push(parent)
            recorder.finish(name, context: context, parent: parent, start: start, attributes: attributes, error: error)
            throw error
        }
    }
}
