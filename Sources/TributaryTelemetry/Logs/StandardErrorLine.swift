internal import Synchronization
internal import TributaryCore

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// The last line of the terminal at the standard error output, which is written over and over; log lines go above it.
///
/// One of the process, as its terminal is.
package final class StandardErrorLine: Sendable {
    package static let shared = StandardErrorLine()
    private let isShown = Atomic(false)

    /// Whether a person watches.
    package static var isTerminal: Bool { isatty(2) == 1 }

    /// Replaces the line that is shown; an empty one takes it away.
    package func show(_ text: String) {
        var writer = ByteWriter()
        writer.append(utf8: "\r\u{1b}[K\(text)")
        isShown.store(!text.isEmpty, ordering: .relaxed)
        _ = SystemFile.writeSome(2, writer.bytes)
    }

    /// Writes a line that stays.
    package func write(_ text: String) {
        var writer = ByteWriter()
        clear(before: &writer)
        writer.append(utf8: text)
        writer.append(0x0a)
        _ = SystemFile.writeSome(2, writer.bytes)
    }

    /// Takes the line that is shown away before what the writer will hold.
    func clear(before writer: inout ByteWriter) {
        if isShown.exchange(false, ordering: .relaxed) { writer.append(utf8: "\r\u{1b}[K") }
    }
}
