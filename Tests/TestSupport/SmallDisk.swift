import Glibc

/// A file system of a few megabytes in memory, mounted on a folder, and a file that fills it.
package final class SmallDisk {
    package let path: String
    private let folder: TemporaryFolder
    private var filler: String { path + "/filler" }

    /// Throws EPERM where this process may not mount.
    package init(bytes: Int) throws {
        folder = try TemporaryFolder()
        path = folder.path + "/disk"
        mkdir(path, 0o700)
        guard mount("tmpfs", path, "tmpfs", 0, "size=\(bytes)") == 0 else {
            throw SystemFailure("mount")
        }
    }

    /// Fills the disk but for some bytes.
    package func fill(leaving bytes: Int) throws {
        // Not for children: one that another test starts would keep what is deleted here.
        let file = open(filler, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw SystemFailure("open") }
        defer { close(file) }
        let block = [UInt8](repeating: 1, count: 4096)
        var size = 0
        while true {
            let written = write(file, block, block.count)
            if written <= 0 { break }
            size += written
        }
        guard errno == ENOSPC else { throw SystemFailure("write") }
        ftruncate(file, max(size - bytes, 0))
    }

    /// Frees what ``fill(leaving:)`` took.
    package func empty() { unlink(filler) }

    deinit { umount2(path, Int32(MNT_DETACH)) }
}
