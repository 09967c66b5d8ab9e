internal import TributaryCore

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// Space on a file system that ordinary writes leave alone, so that what makes room (trimming, compaction, deleting) still
/// works when the disk is as good as full.
package struct DiskReserve: Sendable {
    /// The most bytes that are kept free; of a small file system a 64th.
    package let bytes: Int64
    /// A file or folder on the file system.
    package let path: String

    /// Makes a reserve; 0 bytes or less for none.
    package init(bytes: Int64, path: String) {
        self.bytes = bytes
        self.path = path
    }

    /// What is left when less is left than the reserve.
    package struct Shortage: Sendable, Equatable {
        /// Bytes that may still be written.
        package let free: Int64
        /// Bytes that are to stay free.
        package let reserve: Int64
        /// A file or folder on the file system.
        package let path: String

        /// One sentence with the numbers.
        package var description: String {
            "\(free) bytes are left for \(path), and a reserve of \(reserve) is kept: make room, or lower the setting"
        }
    }

    /// Looks how much is left, one call of the system (a microsecond or two); nil if it is enough or can't be told.
    package func shortage() -> Shortage? {
        guard bytes > 0 else { return nil }
        var status = statvfs()
        guard unsafe statvfs(path, &status) == 0 else { return nil }
        let block = Int64(clamping: UInt64(status.f_frsize))
        let free = multiplied(Int64(clamping: UInt64(status.f_bavail)), block)
        let reserve = min(bytes, multiplied(Int64(clamping: UInt64(status.f_blocks)), block) / 64)
        return free < reserve ? Shortage(free: free, reserve: reserve, path: path) : nil
    }

    private func multiplied(_ left: Int64, _ right: Int64) -> Int64 {
        let (product, overflow) = left.multipliedReportingOverflow(by: right)
        return overflow ? .max : product
    }
}
