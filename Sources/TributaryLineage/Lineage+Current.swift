public import TributaryCore

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// What a stream thread lets user closures see of the record it is processing.
///
/// Bound to the task-local ``Lineage/current`` once per batch; shows the recorder's ``LineageRecorder/current``, or what the
/// recorder was told to show instead (``LineageRecorder/show(_:isElsewhere:)``). A task that a closure starts inherits the binding but not
/// the thread: there everything reads as absent.
public final class LineageBox: @unchecked Sendable {
    // Unchecked: every access below first checks that it happens on the thread that owns the box.
    let recorder: LineageRecorder
    private var owner: UInt = 0
    private var logs: [LogSink] = []

    /// Makes the box of a recorder's task.
    public init(_ recorder: LineageRecorder) { self.recorder = recorder }

    /// Makes the calling thread the owner.
    public func adopt() { owner = currentThread() }

    /// Adds a task's sink for log lines of closures; returns the number for ``LineageRecorder/enter(_:)``.
    public func addScope(_ log: LogSink) -> Int {
        logs.append(log)
        return logs.count - 1
    }

    /// Where lines of the task at work go; called by the owner.
    var log: LogSink? {
        let scope = recorder.seen.value.scope
        return logs.indices.contains(scope) ? logs[scope] : nil
    }

    var current: Lineage? {
        guard owner == currentThread(), recorder.seen.value.isActive else { return nil }
        return recorder.seen.value.hasOther ? recorder.seen.value.other : recorder.current.value
    }

    /// The headers of the record being processed, as an encoded list; empty if there are none.
    var headers: [UInt8] { recorder.seen.value.isElsewhere ? [] : recorder.seenHeaders }
}

/// What user closures see: the recorder's current lineage, or another one.
public struct SeenLineage: BitwiseCopyable {
    @usableFromInline var isActive = false
    /// Whether ``other`` is shown.
    @usableFromInline var hasOther = false
    /// Whether that belongs to another record than the one being processed.
    @usableFromInline var isElsewhere = false
    /// Which of the thread's tasks is at work: a number of the box's.
    @usableFromInline var scope = 0
    @usableFromInline var other = Lineage.none

    @usableFromInline init() {}
}

extension LineageRecorder {
    /// Says which task is at work.
    @inlinable
    @inline(__always)
    public func enter(_ scope: Int) { seen.value.scope = scope }

    /// Lets closures see ``current``: at the start of a record.
    @inlinable
    @inline(__always)
    public func showCurrent() {
        seen.value.isActive = true
        seen.value.hasOther = false
        seen.value.isElsewhere = false
    }

    /// Lets closures see another lineage, for example that of a flush; ``show(again:)`` with the result ends it.
    ///
    /// - Parameters:
    ///   - lineage: what closures see.
    ///   - isElsewhere: whether it is that of another record than the one being processed.
    public func show(_ lineage: Lineage, isElsewhere: Bool = true) -> SeenLineage {
        let before = seen.value
        seen.value.isActive = true
        seen.value.hasOther = true
        if isElsewhere { seen.value.isElsewhere = true }
        seen.value.other = lineage
        return before
    }

    /// Lets closures see what they saw before.
    public func show(again before: SeenLineage) { seen.value = before }

    /// Lets closures see nothing: between records.
    public func showNothing() { seen.value.isActive = false }
}

private func currentThread() -> UInt {
    #if canImport(Glibc)
        return UInt(pthread_self())
    #else
        return unsafe UInt(bitPattern: pthread_self())
    #endif
}

extension Lineage {
    @TaskLocal static var box: LineageBox?

    /// Runs `body` with a thread's box bound, so that closures see ``current``.
    public static func bound<Result>(to box: LineageBox, _ body: () throws -> Result) rethrows -> Result {
        box.adopt()
        return try $box.withValue(box) { try body() }
    }

    // What an asynchronous closure is told of its record.
    @TaskLocal static var carried: TraceContext?

    /// Runs an asynchronous closure of a record, which sees the record's context in ``current``.
    public static func carrying<Output>(
        _ context: TraceContext, _ body: @Sendable () async -> Output
    ) async -> Output {
        await $box.withValue(nil) { await $carried.withValue(context) { await body() } }
    }

    /// The lineage of the record whose closure is running; nil outside of one, or on another thread.
    ///
    /// In an asynchronous closure it has the context only, and an empty cell.
    public static var current: Lineage? {
        if let box { return box.current }
        guard let carried, carried.isValid else { return nil }
        return Lineage(context: carried, cell: .empty)
    }

    /// The baggage that came with the record whose closure is running; empty outside of one.
    public static var baggage: Baggage {
        guard let box, box.recorder.propagators.contains(.baggage) else { return Baggage() }
        return Baggage(ofHeaders: box.headers)
    }

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
}
