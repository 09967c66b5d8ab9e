public import TributaryCore

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// What a stream thread lets user closures see of the record it is processing.
///
/// Bound to the task-local ``Lineage/current`` once per batch; the thread sets the context before each record. A task that a
/// closure starts inherits the binding but not the thread: there everything reads as absent.
public final class LineageBox: @unchecked Sendable {
    // Unchecked: every access below first checks that it happens on the thread that owns the box.
    let recorder: LineageRecorder
    private var owner: UInt = 0
    private var logs: [LogSink] = []
    @usableFromInline let state = Owned(State())

    @usableFromInline
    struct State: BitwiseCopyable {
        @usableFromInline var value = Lineage.none
        @usableFromInline var active = false
        /// Which of the thread's tasks is at work: an index of the box's sinks.
        @usableFromInline var scope = 0

        @usableFromInline init() {}
    }

    /// Makes the box of a recorder's task.
    public init(_ recorder: LineageRecorder) { self.recorder = recorder }

    /// Makes the calling thread the owner.
    public func adopt() { owner = currentThread() }

    /// Adds a task's sink for log lines of closures; returns the number for ``enter(_:)``.
    public func addScope(_ log: LogSink) -> Int {
        logs.append(log)
        return logs.count - 1
    }

    /// Says which task is at work.
    @inlinable
    @inline(__always)
    public func enter(_ scope: Int) { state.value.scope = scope }

    /// Where lines of the task at work go; called by the owner.
    var log: LogSink? { logs.indices.contains(state.value.scope) ? logs[state.value.scope] : nil }

    /// Sets what closures see; called by the owner.
    @inlinable
    @inline(__always)
    public func set(_ lineage: Lineage) {
        state.value.value = lineage
        state.value.active = true
    }

    /// Ends the record.
    @inlinable
    @inline(__always)
    public func clear() { state.value.active = false }

    var current: Lineage? {
        guard owner == currentThread(), state.value.active else { return nil }
        return state.value.value
    }

    func push(_ context: TraceContext) { state.value.value.context = context }
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

    /// Logs a line of the record whose closure is running: with its trace and span, the application and the task.
    ///
    /// It goes where the application's own lines go. Outside of a closure, or on another thread, nothing is logged.
    public static func log(
        _ level: LogLevel, _ message: @autoclosure () -> String,
        _ metadata: @autoclosure () -> [(key: String, value: String)] = []
    ) {
        guard let box, let context = box.current?.context, let log = box.log else { return }
        log(level, message(), metadata(), source: "application", context: context)
    }

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
