import Glibc
import Testing
import TributaryLMDB
import TributaryState

@Suite struct LockTests {
    private func isTaken(_ directory: String) -> Bool {
        do {
            _ = try StateDirectoryLock(directory: directory)
            return false
        } catch {
            return error.code == .inUse
        }
    }

    @Test("a lock that was given up is free, also while a child that was being made still has its file")
    func heldByChild() throws {
        let directory = "/tmp/tributary-lock-\(getpid())"
        var copies: [Int32] = []
        defer {
            for copy in copies { close(copy) }
            _ = unsafe unlink(directory + "/.lock")
            _ = unsafe rmdir(directory)
        }
        do {
            let lock = try StateDirectoryLock(directory: directory)
            // What fork leaves in a child: another descriptor of the same open file.
            copies = descriptors(of: directory + "/.lock").map { dup($0) }
            #expect(copies.count == 1)
            #expect(isTaken(directory))
            withExtendedLifetime(lock) {}
        }
        #expect(!isTaken(directory))
    }
}

/// The descriptors of this process that lead to a file.
func descriptors(of path: String) -> [Int32] {
    // All tests together have thousands open.
    (0..<min(getdtablesize(), 1 << 16)).filter { number in
        var name = [CChar](repeating: 0, count: 256)
        let count = unsafe readlink("/proc/self/fd/\(number)", &name, name.count)
        return count > 0 && name.prefix(count).map { UInt8(bitPattern: $0) } == Array(path.utf8)
    }
}
